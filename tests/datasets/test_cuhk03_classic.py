import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.doctor.check import check
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, evaluate
from tests.datasets.made_cuhk03 import PERSONS, TEST_SETS, image_of, write_release
from tests.datasets.made_datasets import places

BEFORE = {1: 0, 2: 3, 3: 5, 4: 6, 5: 7}  # persons of the camera pairs before


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    path = tmp_path_factory.mktemp("release") / "cuhk-03.mat"
    write_release(path)
    return path


@pytest.fixture
def root(tmp_path, release):
    (tmp_path / "cuhk-03.mat").symlink_to(release)
    return tmp_path


def load(root, **options):
    return load_dataset("cuhk03_classic", str(root), **options)


def expected(people, cameras):
    """What a loader should read of some persons: file name, identity, camera."""
    return [
        (f"{pair}_{person:03d}_{1 + (index > 5)}_{index:02d}.png", BEFORE[pair] + person, 2 * pair - 1 + (index > 5))
        for pair, person in sorted(people)
        for index in PERSONS[pair, person]
        if 1 + (index > 5) in cameras
    ]


@pytest.mark.parametrize("split", range(3))
def test_a_split_is_its_test_set(root, split):
    dataset = load(root, split=split)
    assert dataset.name == "cuhk03_classic"
    assert places(dataset.query) == expected(TEST_SETS[split], [1])
    assert places(dataset.gallery) == expected(TEST_SETS[split], [2])
    assert places(dataset.train) == expected(set(PERSONS) - set(TEST_SETS[split]), [1, 2])
    assert not [finding for finding in check(dataset) if finding.severity == "error"]


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_every_pixel_is_kept(root, boxes):
    dataset = load(root, boxes=boxes)
    records = [record for split in dataset.splits().values() for record in split]
    assert len(records) == sum(map(len, PERSONS.values()))
    for record in records:
        assert Path(record.path).parent == root / f"images_{boxes}"
        pair, person, _, index = map(int, Path(record.path).stem.split("_"))
        image = cv2.cvtColor(cv2.imread(record.path), cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(image, image_of(pair, person, index, boxes))


def test_images_are_written_once(root, caplog):
    with caplog.at_level(logging.INFO):
        first = load(root)
    assert "once" in caplog.text
    assert "29 images of 9 persons" in caplog.text
    assert "writing the images of" in caplog.text
    times = {path: path.stat().st_mtime_ns for path in (root / "images_detected").iterdir()}
    assert load(root, split=1) != first
    assert load(root) == first
    assert {path: path.stat().st_mtime_ns for path in (root / "images_detected").iterdir()} == times
    assert sorted(item.name for item in root.iterdir()) == ["cuhk-03.mat", "images_detected"]


def test_the_matlab_file_is_not_needed_afterwards(root):
    before = load(root, split=2)
    (root / "cuhk-03.mat").unlink()
    assert load(root, split=2) == before
    with pytest.raises(
        InputError, match=r"needs cuhk-03.mat; looked in .*cuhk03_release'.*found in .*images_detected/"
    ):
        load(root, boxes="labeled")


def test_the_archives_own_folder_is_found(tmp_path, release):
    (tmp_path / "cuhk03_release").mkdir()
    (tmp_path / "cuhk03_release" / "cuhk-03.mat").symlink_to(release)
    assert len(load(tmp_path).query) == 3
    (tmp_path / "cuhk03_release" / "cuhk-03.mat").unlink()
    assert len(load(tmp_path).query) == 3


def test_the_new_protocol_finds_the_same_images(root):
    load(root)
    names = np.array(
        [[name] for name in sorted(path.name for path in (root / "images_detected").glob("*.png"))], object
    )
    columns = {key: np.ones((len(names), 1)) for key in ("labels", "camId")}
    indices = {"train_idx": [[1]], "query_idx": [[2]], "gallery_idx": [[3]]}
    scipy.io.savemat(root / "cuhk03_new_protocol_config_detected.mat", {"filelist": names} | columns | indices)
    dataset = load_dataset("cuhk03", str(root))
    assert all(Path(record.path).is_file() for split in dataset.splits().values() for record in split)


def test_a_single_shot_of_it(root):
    dataset = load(root, split=1)
    query, gallery = (
        Embeddings(np.eye(len(records), 5), [r.identity for r in records], [r.camera for r in records])
        for records in (dataset.query, dataset.gallery)
    )
    metrics = evaluate(query, gallery, protocol="cuhk03_single_shot", draws=5)
    assert (metrics.num_valid_queries, metrics.num_skipped_queries) == (1, 0)


def test_landmarks(root):
    landmarks = np.full((18, 3), 0.25, np.float32)
    write_landmarks(root / "landmarks.npz", {"images_detected/1_002_1_01.png": landmarks})
    write_landmarks(root / "other.npz", {"images_detected/1_002_1_02.png": landmarks})
    first, second = load(root).query[:2]
    np.testing.assert_array_equal(first.landmarks, landmarks)
    assert second.landmarks is None
    assert load(root, landmarks=str(root / "other.npz")).query[1].landmarks is not None


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (-1, r"'split' .*should be 0, 1, .* or 19. Received: -1\."),
        (20, r"'split' .*should be 0, 1, .* or 19. Received: 20\."),
        (3, r"split must be 0 to 2. Received: split=3\."),  # of the made release, which has three
    ],
)
def test_a_split_out_of_range(root, split, message):
    with pytest.raises(InputError, match=message):
        load(root, split=split)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 4), r"in camera pairs of \[3, 2, 1, 1, 2\] persons. Received: person 4 of camera pair 1 in split 1"),
        ((6, 1), "Received: person 1 of camera pair 6 in split 1"),
        ((0, 1), "Received: person 1 of camera pair 0 in split 1"),
        ((1, 0), "Received: person 0 of camera pair 1 in split 1"),
        ((1, 1.5), r"must hold whole numbers \[persons, 2\]. Received: float64 \[2, 2\]"),
        ((1, np.nan), "must hold whole numbers"),
    ],
)
def test_a_test_set_of_persons_that_do_not_exist(tmp_path, row, message):
    write_release(tmp_path / "cuhk-03.mat", test_sets=[[(1, 1), (2, 1)], [(1, 2), row]])
    with pytest.raises(InputError, match=message):
        load(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["cuhk-03.mat"]


def gray_image(file, cells):
    del cells["0"]
    cells["0"] = np.ones((4, 9), np.uint8)
    file[file["detected"][0, 0]][0, 0] = cells["0"].ref


def floating_image(file, cells):
    cells["float"] = np.ones((3, 4, 9))
    file[file["detected"][0, 0]][0, 0] = cells["float"].ref


def nine_images(file, cells):
    cells.create_dataset("nine", (9, 3), file["detected"].dtype)
    file["detected"][0, 2] = cells["nine"].ref


def no_cells(file, cells):
    del file["detected"]
    file["detected"] = np.ones((2, 5))


def a_struct(file, cells):
    del file["detected"]
    file.create_group("detected/images")


def no_test_sets(file, cells):
    del file["testsets"]


def a_null_reference(file, cells):
    cells.create_dataset("null", (10, 3), file["detected"].dtype)
    file["detected"][0, 1] = cells["null"].ref


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gray_image, r"must be uint8 \[height, width, 3\]. Received: uint8 \[9, 4\] for 1_001_1_01.png"),
        (floating_image, r"Received: float64 \[9, 4, 3\] for 1_001_1_01.png"),
        (nine_images, r"detected must have 10 cells per person. Received: \[3, 9\] for camera pair 3"),
        (no_cells, r"'detected' must be a cell array. Received: float64 \[5, 2\]"),
        (a_struct, "'detected' must be an array. Received: a struct of images"),
        (no_test_sets, "lacks the variable 'testsets': found detected, labeled"),
        (a_null_reference, r"is cut off or damaged at a cell"),
    ],
)
def test_a_file_of_another_structure_is_named(tmp_path, change, message):
    write_release(tmp_path / "cuhk-03.mat", change=change)
    with pytest.raises(InputError, match=message):
        load(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["cuhk-03.mat"]


def test_an_empty_cell_is_known_without_its_mark(tmp_path):
    def unmark(file, cells):
        for cell in cells.values():
            if "MATLAB_empty" in cell.attrs:
                del cell.attrs["MATLAB_empty"]

    write_release(tmp_path / "cuhk-03.mat", change=unmark)
    assert places(load(tmp_path).query) == expected(TEST_SETS[0], [1])


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "labeled").mkdir()
    with pytest.raises(InputError, match=r"'cuhk03_classic' needs cuhk-03.mat; .*found in '.*': labeled/\."):
        load(tmp_path)
    with pytest.raises(InputError, match=r"'boxes' of the data set 'cuhk03_classic' is wrong.*Received: 'labelled'"):
        load(tmp_path, boxes="labelled")


def test_a_file_cut_off_is_named(tmp_path, release):
    for share in (0.02, 0.5, 0.99):
        whole = release.read_bytes()
        (tmp_path / "cuhk-03.mat").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=r"cuhk-03.mat' cannot be read as a MATLAB file: it is cut off or damaged"):
            load(tmp_path)


def test_a_taken_folder_is_left_alone(root):
    (root / "images_detected").mkdir()
    (root / "images_detected" / "1_001_1_01.png").write_bytes(b"somebody else's")
    with pytest.raises(InputError, match=r"with a release.json: '.*images_detected' holds 1_001_1_01.png\."):
        load(root)
    assert len(load(root, boxes="labeled").query) == 3


def test_images_of_another_file_or_gone_are_named(root):
    load(root)
    folder = root / "images_detected"
    (root / "cuhk-03.mat").unlink()
    (root / "cuhk-03.mat").write_bytes(b"MATLAB 7.3")
    with pytest.raises(InputError, match=r"are from cuhk-03.mat, \d+ bytes, but the file beside them is .* 10 bytes"):
        load(root)
    (root / "cuhk-03.mat").unlink()
    (folder / "1_001_1_01.png").rename(folder / "9_001_1_01.png")
    with pytest.raises(InputError, match=r"by persons of the release. Received: '9_001_1_01.png'"):
        load(root)
    (folder / "9_001_1_01.png").unlink()
    with pytest.raises(InputError, match=r"holds 28 of 29 images: delete it"):
        load(root)
    (folder / "release.json").write_text(json.dumps({"source": "x"}))
    with pytest.raises(InputError, match=r"release.json' is damaged \(KeyError\('images'\)\)"):
        load(root)


@pytest.mark.real_data
@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_identities_and_cameras_agree_with_the_new_protocols_list(real_data, tmp_path, boxes):
    mat = scipy.io.loadmat(real_data / "cuhk03-protocol" / f"cuhk03_new_protocol_config_{boxes}.mat")
    names = [cell.item() for cell in mat["filelist"].ravel()]
    folder = tmp_path / f"images_{boxes}"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    tested = [(1, person) for person in range(1, 101)]
    stamp = {"source": "", "images": len(names), "persons": [843, 440, 77, 58, 49], "test_sets": [tested]}
    (folder / "release.json").write_text(json.dumps(stamp))
    dataset = load(tmp_path, boxes=boxes)
    read = {name: (identity, camera) for split in dataset.splits().values() for name, identity, camera in places(split)}
    for name, identity, camera in zip(names, mat["labels"].ravel(), mat["camId"].ravel(), strict=True):
        assert read[name] == (identity, 2 * (int(name[0]) - 1) + camera)
    assert not [finding for finding in check(dataset, read_images=False) if "published" in finding.sentence]
