import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_tf.datasets import synthetic as synthetic_file
from reid_tf.datasets.attributes.files import read_market_attributes
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.market1501 import market1501
from reid_tf.datasets.pedestrians import writing
from reid_tf.errors import InputError

TINY = {"identities": 8, "images_per_identity": 4, "cameras": 3, "image_size": (64, 32)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tiny(cache):
    return load_dataset("synthetic", str(cache), **TINY)


def files(folder: Path) -> dict[str, bytes]:
    """The content of every file by its name; the header of a .mat file, which holds the time, is left out."""
    content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data[128:] if name.endswith(".mat") else data for name, data in content.items()}


def folder_of(dataset) -> Path:
    return Path(dataset.train[0].path).parents[1]


def test_splits_are_disjoint_and_complete(tiny):
    identities = {name: {record.identity for record in split} for name, split in tiny.splits().items()}
    assert identities == {
        "train": {1, 2, 3, 4, 5, 6},
        "query": {7, 8},
        "gallery": {0, 7, 8},
        "multi_query": set(),
    }
    assert [len(split) for split in (tiny.train, tiny.query, tiny.gallery)] == [24, 4, 6]
    assert {record.camera for split in tiny.splits().values() for record in split} <= {1, 2, 3}
    assert tiny.name == "synthetic"


def test_images_have_the_size_asked_for(tiny):
    for record in (*tiny.train, *tiny.query, *tiny.gallery):
        image = cv2.imread(record.path)
        assert image.shape == (64, 32, 3)
        assert image.std() > 10


def test_every_person_has_attributes_and_landmarks(tiny):
    assert tiny.attribute_schema == MARKET1501_SCHEMA
    for record in (*tiny.train, *tiny.query, *tiny.gallery):
        if record.identity:
            for answer, group in zip(record.attributes, MARKET1501_SCHEMA.groups, strict=True):
                assert 0 <= answer < len(group.classes)
        assert record.landmarks.shape == (18, 3)
        assert record.landmarks.dtype == np.float32
        assert ((record.landmarks >= 0) & (record.landmarks <= 1)).all()
        assert (record.landmarks[:, 2] > 0.9).sum() >= 3


def test_twins_share_all_their_attributes_but_not_their_look(tiny):
    of_identity = {record.identity: record.attributes for record in tiny.train}
    for first in (1, 3, 5):
        assert of_identity[first] == of_identity[first + 1]
    assert len(set(of_identity.values())) == 3


def test_it_is_market1501_on_disk(tiny):
    folder = folder_of(tiny)
    read = market1501(str(folder))
    assert [record.path for record in read.gallery] == [record.path for record in tiny.gallery]
    assert any(path.name.startswith("-1_") for path in (folder / "bounding_box_test").iterdir())
    assert set(read_market_attributes(folder / "market_attribute.mat")) == set(range(1, 9))
    assert json.loads((folder / "parameters.json").read_text()) == {
        "drawing_version": synthetic_file.DRAWING_VERSION,
        **TINY,
        "image_size": [64, 32],
        "twins": 2,
        "seed": 0,
        "images": 34,
    }


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tiny, tmp_path):
    again = load_dataset("synthetic", str(tmp_path), **TINY)
    assert folder_of(again).name == folder_of(tiny).name
    assert files(folder_of(again)) == files(folder_of(tiny))
    other = load_dataset("synthetic", str(tmp_path), **TINY, seed=1)
    assert folder_of(other).name != folder_of(tiny).name
    assert not set(files(folder_of(other)).values()) & set(files(folder_of(tiny)).values())


@pytest.mark.parametrize("change", [{"cameras": 2}, {"twins": 3}, {"image_size": (32, 32)}, {"seed": 5}])
def test_every_parameter_has_a_folder_of_its_own(cache, tiny, change):
    other = load_dataset("synthetic", str(cache), **{**TINY, **change})
    assert folder_of(other) != folder_of(tiny)
    assert folder_of(other).parent == folder_of(tiny).parent


def test_it_is_drawn_once(cache, tiny, monkeypatch):
    monkeypatch.setattr(synthetic_file, "write_pedestrians", None)
    again = load_dataset("synthetic", str(cache), **TINY)
    assert [record.path for record in again.train] == [record.path for record in tiny.train]


def test_a_new_drawing_version_is_drawn_anew(cache, tiny, monkeypatch):
    monkeypatch.setattr(synthetic_file, "DRAWING_VERSION", 0)
    assert folder_of(load_dataset("synthetic", str(cache), **TINY)) != folder_of(tiny)


def test_without_a_root_the_cache_is_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("REID_TF_CACHE", str(tmp_path / "a"))
    assert folder_of(load_dataset("synthetic", **TINY)).parent == tmp_path / "a"
    monkeypatch.delenv("REID_TF_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert folder_of(load_dataset("synthetic", **TINY)).parent == tmp_path / "home" / ".cache" / "reid_tf"


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    draw, drawn = writing.draw_picture, []

    def interrupted(*arguments):
        drawn.append(1)
        if len(drawn) == 10:
            raise KeyboardInterrupt
        return draw(*arguments)

    monkeypatch.setattr(writing, "draw_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("synthetic", str(tmp_path), **TINY)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert len(load_dataset("synthetic", str(tmp_path), **TINY).train) == 24


def test_whoever_comes_second_takes_the_first_ones_folder(tmp_path):
    results, wait = [], threading.Barrier(2)

    def load():
        wait.wait()
        results.append(load_dataset("synthetic", str(tmp_path), **TINY))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = results
    assert [record.path for record in first.train] == [record.path for record in second.train]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"identities": 3}, r"identities must be at least 4\. Received: 3\."),
        ({"images_per_identity": 1}, r"images_per_identity must be at least 2\. Received: 1\."),
        ({"cameras": 1}, r"cameras must be at least 2\. Received: 1\."),
        ({"twins": 0}, "'twins' .* must be at least 1. Received: 0"),
        ({"seed": -1}, "'seed' .* must be at least 0. Received: -1"),
        ({"image_size": (31, 64)}, r"at least \(32, 16\)\. Received: \(31, 64\)\."),
        ({"image_size": (64, 15)}, r"at least \(32, 16\)\. Received: \(64, 15\)\."),
        ({"identities": 10**6}, r"identities must be at most 100000\. Received: 1000000\."),
        ({"cameras": 2**40}, r"'cameras' .* must be at most 4294967295\. Received: 1099511627776\."),
        ({"image_size": (10**5, 10**5)}, r"at most 25,000,000 pixels\. Received: \(100000, 100000\)\."),
        ({"image_size": (64,)}, "image_size"),
        ({"identites": 8}, r"identites.*Did you mean 'identities'"),
    ],
)
def test_a_wrong_option_is_a_sentence_and_nothing_is_drawn(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        load_dataset("synthetic", str(tmp_path / "cache"), **options)
    assert not (tmp_path / "cache").exists()


def test_a_file_is_no_cache_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"must be a folder. Received the file '.*file'"):
        load_dataset("synthetic", str(tmp_path / "file"), **TINY)
    with pytest.raises(
        InputError, match=r"file/cache/synthetic-8x4-\w+' cannot be written: '.*file' above it is a file"
    ):
        load_dataset("synthetic", str(tmp_path / "file" / "cache"), **TINY)


def test_a_folder_that_lost_images_is_noticed(tmp_path):
    dataset = load_dataset("synthetic", str(tmp_path), **TINY)
    Path(dataset.train[3].path).unlink()
    with pytest.raises(InputError, match=r"holds 33 of 34 images; delete it"):
        load_dataset("synthetic", str(tmp_path), **TINY)
