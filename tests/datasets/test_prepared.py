import dataclasses
import json
import shutil

import numpy as np
import pytest

from reid_tf.datasets.attributes.files import write_market_attributes
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.datasets.readers.encoded import is_prepared, place, read_encoded
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from tests.datasets.made_datasets import MARKET_NAMES


@pytest.fixture
def original(market_root):
    rng = np.random.default_rng(0)
    names = [f"{folder}/{name}" for folder, names in MARKET_NAMES.items() for name in names[:1]]
    write_landmarks(market_root / "landmarks.npz", {name: rng.random((18, 3), np.float32) for name in names})
    answers = {identity: (identity % 2,) * 12 for identity in (1, 2, 3, 7)}
    write_market_attributes(market_root / "market_attribute.mat", answers, {})
    return load_dataset("market1501", str(market_root))


@pytest.fixture
def folder(original, tmp_path):
    prepare(original, tmp_path / "prepared")
    return tmp_path / "prepared"


def fields(record):
    landmarks = None if record.landmarks is None else (record.landmarks.dtype.name, record.landmarks.tolist())
    return record.identity, record.camera, record.attributes, landmarks


def test_records_and_images_come_back_as_they_were(original, folder):
    found = load_dataset("prepared", str(folder))
    assert found.name == "prepared"
    assert repr(load_dataset("tfds", str(folder))) == repr(found)  # as earlier versions called it
    assert found.attribute_schema == original.attribute_schema
    for split, records in original.splits().items():
        assert len(records) >= 2
        assert [fields(record) for record in found.splits()[split]] == [fields(record) for record in records]
        images = read_encoded([record.path for record in found.splits()[split]])
        assert images == read_encoded([record.path for record in records])


def test_splits_may_be_empty_and_identities_text(tmp_path, original):
    dataset = ReIDDataset("made", original.train, (), (), identity_names={2: "anna", 7: "zoë"})
    dataset = dataclasses.replace(dataset, train=tuple(Record(r.path, r.identity, r.camera) for r in dataset.train))
    prepare(dataset, tmp_path / "p")
    found = load_dataset("prepared", str(tmp_path / "p"))
    assert found.identity_names == {2: "anna", 7: "zoë"}
    assert found.attribute_schema is None
    assert [len(records) for records in found.splits().values()] == [3, 0, 0, 0]
    assert [fields(record) for record in found.train] == [fields(record) for record in dataset.train]


def test_other_programs_can_read_it(original, folder):
    import tensorflow_datasets as tfds

    source = tfds.builder_from_directory(folder).as_data_source("gallery")
    for example, record in zip(source, original.gallery, strict=True):
        assert (example["identity"], example["camera"]) == (record.identity, record.camera)
        assert example["image"].shape == (16, 8, 3)
        assert len(example["attributes"]) == (0 if record.attributes is None else 12)
        assert record.path.endswith(example["path"].decode())
    assert source[0]["path"].decode() == "bounding_box_test/0000_c1s1_000151_01.jpg"


def test_a_prepared_data_set_can_be_prepared_again(folder, original, tmp_path):
    prepare(load_dataset("prepared", str(folder)), tmp_path / "again")
    images = read_encoded([record.path for record in load_dataset("prepared", str(tmp_path / "again")).gallery])
    assert images == read_encoded([record.path for record in original.gallery])


def test_no_part_of_it_stands_there_after_an_error(original, tmp_path):
    missing = Record(str(tmp_path / "none.jpg"), 3, 1)
    dataset = dataclasses.replace(original, gallery=(*original.gallery, missing))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"image file '.*none.jpg' cannot be read: No such file"):
        prepare(dataset, tmp_path / "p")
    assert sorted(tmp_path.iterdir()) == before


def test_what_cannot_be_prepared_is_refused(original, folder, tmp_path):
    with pytest.raises(InputError, match=r"prepared' must be a new folder or an empty one"):
        prepare(original, folder)
    with pytest.raises(InputError, match="'made' has no images to prepare"):
        prepare(ReIDDataset("made", (), (), ()), tmp_path / "p")
    (tmp_path / "empty").mkdir()
    prepare(original, tmp_path / "empty")
    assert len(load_dataset("prepared", str(tmp_path / "empty")).query) == 2


def test_files_and_places_may_be_mixed(original, folder):
    found = load_dataset("prepared", str(folder))
    paths = [found.query[1].path, original.train[0].path, found.gallery[2].path, found.query[0].path]
    others = [original.query[1].path, original.train[0].path, original.gallery[2].path, original.query[0].path]
    assert read_encoded(paths) == read_encoded(others)
    assert read_encoded(paths * 20) == read_encoded(others) * 20  # enough for reading in parallel
    assert read_encoded([]) == []


def test_places_are_told_from_files(tmp_path):
    assert is_prepared(place(tmp_path, "train", 3))
    assert place("a", "train", 3) == "a::train::3"
    for path in ("a/b.jpg", "a::b.jpg", "a::train::", "::train::3"):
        assert not is_prepared(path)


def test_places_that_do_not_exist_are_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"has 2 images in 'query'. Received: 2"):
        read_encoded([place(folder, "query", 2)])
    with pytest.raises(InputError, match=r"'.*none' is not a prepared data set: it lacks features.json"):
        read_encoded([place(tmp_path / "none", "train", 0)])
    with pytest.raises(InputError, match=r"is not a prepared data set with the split 'other'"):
        read_encoded([place(folder, "other", 0)])
    with pytest.raises(InputError, match=r"image file '.*none.jpg' cannot be read: No such file"):
        read_encoded([str(tmp_path / "none.jpg")])
    with pytest.raises(InputError, match=r"cannot be read: Is a directory"):
        read_encoded([str(tmp_path)])


def damage_shard(folder):
    shard = next(folder.glob("*-query.array_record*"))
    contents = bytearray(shard.read_bytes())
    contents[40:2000] = bytes(1960)
    shard.write_bytes(contents)


def test_a_damaged_shard_is_a_sentence(folder, tmp_path):
    for name, damage in (
        ("cut", lambda copy: next(copy.glob("*-query.array_record*")).write_bytes(b"half")),
        ("gone", lambda copy: next(copy.glob("*-query.array_record*")).unlink()),
        ("zeros", damage_shard),
    ):
        copy = tmp_path / name  # a folder of its own, since opened shards are kept open
        shutil.copytree(folder, copy)
        damage(copy)
        with pytest.raises(InputError, match=rf"shards of 'query' in '.*{name}' cannot be read"):
            read_encoded([record.path for record in load_dataset("prepared", str(copy)).query])


@pytest.mark.parametrize(
    ("file", "contents", "message"),
    [
        (
            "records.npz",
            None,
            r"folder that reid-tf prepare wrote; '.*' lacks records.npz; found: dataset_info.json, ",
        ),
        ("records.npz", "<html>", r"not an .npz file"),
        ("dataset_info.json", None, r"lacks dataset_info.json"),
        ("dataset_info.json", "{", r"'.*dataset_info.json' is not a TensorFlow Datasets description"),
        ("dataset_info.json", "{}", r"is not a TensorFlow Datasets description: 'splits'"),
        (
            "dataset_info.json",
            '{"splits": [{"name": "train", "shardLengths": ["2"]}]}',
            r"3 records in 'train'",
        ),
    ],
)
def test_wrong_folders_are_named(folder, file, contents, message):
    if contents is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(contents)
    with pytest.raises(InputError, match=message):
        load_dataset("prepared", str(folder))


@pytest.mark.parametrize(
    ("array", "values"),
    [
        ("about", np.array("{")),
        ("about", np.array("[]")),
        ("about", np.array('{"identity_names": 5, "attribute_schema": null}')),
        ("about", np.array('{"identity_names": null, "attribute_schema": [1]}')),
        ("about", np.arange(3)),
        ("train_identities", np.array([1, 2], np.int64)),
        ("train_identities", np.array([1, 2, 2**64 - 1], np.uint64)),
        ("train_cameras", np.array([0.5, 1, 2])),
        ("train_identities", np.zeros((3, 2), np.int64)),
        ("train_has_attributes", np.ones(3, bool)),
        ("train_has_landmarks", np.ones(3, bool)),
    ],
)
def test_damaged_records_are_a_sentence(folder, array, values):
    with np.load(folder / "records.npz") as file:
        arrays = dict(file)
    for name in ("train_attributes", "train_landmarks"):
        arrays[name] = arrays[name][:0]
    arrays["train_has_attributes"] = arrays["train_has_landmarks"] = np.zeros(3, bool)
    np.savez(folder / "records.npz", **(arrays | {array: values}))
    with pytest.raises(InputError, match=r"records.npz' is damaged: "):
        load_dataset("prepared", str(folder))


EVIL = "intruder.Feature"
LEGACY = {"type": EVIL, "content": {}}


def rename_a_class(features):
    features["featuresDict"]["features"]["image"]["pythonClassName"] = EVIL


def add_a_feature(features):
    features["featuresDict"]["features"]["more"] = {"pythonClassName": EVIL, "text": {}}


def spell_otherwise(features):
    feature = features["featuresDict"]["features"]["image"]
    feature["python_class_name"] = EVIL


def nest_text(features):
    feature = features["featuresDict"]["features"]["image"]
    feature["jsonFeature"] = {"json": json.dumps({"x": LEGACY})}


def name_the_whole(features):
    features["pythonClassName"] = EVIL


def old_form(features):
    features.clear()
    features |= LEGACY


def old_form_beside(features):
    features |= LEGACY


def nest_without_a_name(features):
    inner = {"featuresDict": {"features": {"x": {"pythonClassName": EVIL}}}}
    features["featuresDict"]["features"][""] = {"pythonClassName": features["pythonClassName"], **inner}


@pytest.mark.parametrize(
    "change",
    [
        nest_without_a_name,
        rename_a_class,
        add_a_feature,
        spell_otherwise,
        nest_text,
        name_the_whole,
        old_form,
        old_form_beside,
    ],
)
def test_a_folder_that_names_a_module_does_not_run_it(folder, change, tmp_path, monkeypatch):
    (tmp_path / "intruder.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    features = json.loads((folder / "features.json").read_text())
    change(features)
    (folder / "features.json").write_text(json.dumps(features))
    for read in (lambda: load_dataset("prepared", str(folder)), lambda: read_encoded([place(folder, "train", 0)])):
        with pytest.raises(InputError, match=r"features.json' (must have the features that|does not describe)"):
            read()
    assert not (tmp_path / "ran").exists()


@pytest.mark.real_data
def test_real_images_come_back_byte_for_byte(real_data, tmp_path):
    dataset = load_dataset("cuhk03", str(real_data / "cuhk03-np-dev"))
    dataset = dataclasses.replace(dataset, train=dataset.train[:500])
    prepare(dataset, tmp_path / "p")
    found = load_dataset("prepared", str(tmp_path / "p"))
    for split, records in dataset.splits().items():
        images = read_encoded([record.path for record in found.splits()[split]])
        assert images == read_encoded([record.path for record in records])
