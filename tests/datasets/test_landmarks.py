import dataclasses

import numpy as np
import pytest

from reid_tf.datasets.landmarks import (
    add_landmarks,
    check_landmarks,
    read_detector,
    read_landmarks,
    relative_path,
    write_landmarks,
)
from reid_tf.datasets.map_records import map_records
from reid_tf.datasets.market1501 import market1501
from reid_tf.datasets.splits import held_out
from reid_tf.errors import InputError
from tests.datasets.made_datasets import dataset_of


@pytest.fixture
def landmarks():
    rng = np.random.default_rng(0)
    return {f"query/{index:03d}.jpg": rng.random((18, 3), np.float32) for index in (2, 0)}


def test_what_is_written_is_read(tmp_path, landmarks):
    write_landmarks(tmp_path / "landmarks.npz", landmarks)
    found = read_landmarks(tmp_path / "landmarks.npz")
    assert list(found) == ["query/000.jpg", "query/002.jpg"]
    for path, values in found.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, landmarks[path])


def test_the_files_form(tmp_path, landmarks):
    write_landmarks(tmp_path / "landmarks.npz", landmarks)
    with np.load(tmp_path / "landmarks.npz") as file:
        assert sorted(file.files) == ["landmarks", "paths"]
        assert file["landmarks"].shape == (2, 18, 3)
        assert file["paths"].tolist() == ["query/000.jpg", "query/002.jpg"]


def test_a_file_says_which_detector_made_it(tmp_path, landmarks):
    write_landmarks(tmp_path / "plain.npz", landmarks)
    assert read_detector(tmp_path / "plain.npz") is None
    write_landmarks(tmp_path / "made.npz", landmarks, {"name": "movenet", "scales": (1, 2)})
    assert read_detector(tmp_path / "made.npz") == {"name": "movenet", "scales": [1, 2]}
    assert list(read_landmarks(tmp_path / "made.npz")) == sorted(landmarks)
    np.savez(tmp_path / "bad.npz", paths=np.array([], str), detector=np.array("{movenet"))
    with pytest.raises(InputError, match=r"'.*bad.npz': `detector` must be JSON text. Received: {movenet"):
        read_detector(tmp_path / "bad.npz")


def test_no_landmarks_at_all_are_a_valid_file(tmp_path):
    write_landmarks(tmp_path / "landmarks.npz", {})
    assert read_landmarks(tmp_path / "landmarks.npz") == {}


def test_a_name_without_suffix_is_kept(tmp_path, landmarks):
    write_landmarks(tmp_path / "landmarks", landmarks)
    assert [file.name for file in tmp_path.iterdir()] == ["landmarks"]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((3, 0), np.nan, r"must be finite numbers. Received for 'query/000.jpg'.*nan"),
        ((3, 2), np.inf, "must be finite numbers"),
        ((3, 1), 64.0, r"x, y and confidence in \[0, 1\] \(of the image, not pixels\).*64.0"),
        ((3, 2), 1.5, r"confidence in \[0, 1\]"),
    ],
)
def test_values_that_are_no_landmarks_are_refused(tmp_path, landmarks, place, value, message):
    landmarks["query/000.jpg"][place] = value
    with pytest.raises(InputError, match=message):
        write_landmarks(tmp_path / "landmarks.npz", landmarks)
    assert not list(tmp_path.iterdir())
    paths = sorted(landmarks)
    np.savez(tmp_path / "other.npz", paths=np.array(paths), landmarks=np.stack([landmarks[path] for path in paths]))
    with pytest.raises(InputError, match=message):
        read_landmarks(tmp_path / "other.npz")


def test_a_landmark_that_was_not_found_may_lie_anywhere(tmp_path, landmarks):
    landmarks["query/000.jpg"][3] = (-0.5, 1.5, 0)
    write_landmarks(tmp_path / "landmarks.npz", landmarks)
    assert read_landmarks(tmp_path / "landmarks.npz")["query/000.jpg"][3].tolist() == [-0.5, 1.5, 0]


def test_wrong_shapes_are_named(tmp_path):
    with pytest.raises(InputError, match=r"landmarks of 'a.jpg' must be \[18, 3\]. Received: \[17, 3\]"):
        write_landmarks(tmp_path / "a.npz", {"a.jpg": np.zeros((17, 3))})
    np.savez(tmp_path / "a.npz", paths=np.array(["a.jpg"]), landmarks=np.zeros((1, 18, 2)))
    with pytest.raises(InputError, match=r"must be \[1, 18, 3\] for 1 paths. Received: \[1, 18, 2\]"):
        read_landmarks(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", paths=np.array(["a.jpg"]), landmarks=np.full((1, 18, 3), "x"))
    with pytest.raises(InputError, match=r"must hold numbers. Received: <U1"):
        read_landmarks(tmp_path / "a.npz")


def test_landmarks_meet_their_images(tmp_path, landmarks):
    write_landmarks(tmp_path / "landmarks.npz", landmarks)
    made = dataset_of([(1, 1)], [(2, 1), (2, 2), (3, 1)])
    records = tuple(record.__class__(f"{tmp_path}/{record.path}", 0, 0) for record in made.query)
    dataset = add_landmarks(made.__class__("made", (), records, ()), tmp_path)
    assert [record.landmarks is not None for record in dataset.query] == [True, False, True]
    np.testing.assert_array_equal(dataset.query[2].landmarks, landmarks["query/002.jpg"])


def test_without_a_file_only_the_root_is_known(tmp_path):
    dataset = dataset_of([(1, 1)])
    assert add_landmarks(dataset, tmp_path) == dataclasses.replace(dataset, root=str(tmp_path))


def test_loaders_splits_and_changes_keep_the_root(market_root):
    dataset = market1501(str(market_root))
    assert dataset.root == str(market_root)
    assert map_records(lambda record: record, dataset).root == str(market_root)
    assert held_out(dataset, share=0.9).root == str(market_root)
    assert relative_path(dataset.query[0].path, dataset.root) == "query/0001_c1s1_001051_00.jpg"


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("data/query/a.jpg", "data", "query/a.jpg"),
        ("./data/query/a.jpg", "data/", "query/a.jpg"),
        ("a.jpg", ".", "a.jpg"),
        ("/other/a.jpg", "/data", "/other/a.jpg"),
        ("/data2/a.jpg", "/data", "/data2/a.jpg"),
    ],
)
def test_what_a_file_calls_an_image(path, root, expected):
    assert relative_path(path, root) == expected


def test_landmarks_of_a_caller_are_checked():
    check_landmarks(["image 0"], np.zeros((1, 18, 3)), "landmarks")
    with pytest.raises(
        InputError, match=r"'landmarks': `landmarks` must be \[1, 18, 3\] for 1 paths. Received: \[1, 17"
    ):
        check_landmarks(["image 0"], np.zeros((1, 17, 3)), "landmarks")
    with pytest.raises(InputError, match=r"not pixels\). Received for 'image 1'"):
        check_landmarks(["image 0", "image 1"], np.array([np.zeros((18, 3)), np.full((18, 3), 9)]), "landmarks")


def test_a_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(InputError, match=r"'.*none.npz' does not exist"):
        add_landmarks(dataset_of([(1, 1)]), tmp_path, str(tmp_path / "none.npz"))


def test_a_file_of_another_data_set_is_named(tmp_path, landmarks, caplog):
    """One that was asked for is refused; one that merely lies there may belong to the other images of the folder."""
    write_landmarks(tmp_path / "landmarks.npz", landmarks)
    with pytest.raises(InputError, match=r"landmarks of none of the images .* its first path is 'query/000.jpg'"):
        add_landmarks(dataset_of([(1, 1)]), tmp_path, str(tmp_path / "landmarks.npz"))
    assert add_landmarks(dataset_of([(1, 1)]), tmp_path).train[0].landmarks is None
    assert "has landmarks of none of the images" in caplog.text


def test_paths_in_a_table_are_a_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", paths=np.array([["a.jpg"]]), landmarks=np.zeros((1, 18, 3)))
    with pytest.raises(InputError, match=r"'paths' must be texts, one per image. Received: shape \[1, 1\]"):
        read_landmarks(tmp_path / "a.npz")
