import csv
from pathlib import Path

import pytest

from reid_tf.datasets.attributes.annotation_csv import write_annotations
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.doctor.check import check
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.datasets.splits import by_order
from reid_tf.datasets.summary import summarise
from reid_tf.errors import InputError
from tests.datasets.made_challenge import PEOPLE, answers, write_challenge
from tests.datasets.made_datasets import encoded_image, places


@pytest.fixture
def root(tmp_path):
    return write_challenge(tmp_path / "challenge")


def load(root, **options):
    return load_dataset("attribute_challenge", str(root), **options)


def test_the_training_images_are_named_and_the_others_are_not(root):
    dataset = load(root)
    assert len(dataset.train) == 24
    assert places(dataset.train)[:2] == [("0002_c1s1_000000_00.jpg", 2, 1), ("0002_c1s1_000002_00.jpg", 2, 1)]
    assert places(dataset.query) == [("000000.jpg", -1, -1), ("000001.jpg", -1, -1)]
    assert places(dataset.gallery) == [(f"{index:06d}.jpg", -1, -1) for index in range(5)]
    assert {Path(record.path).parent.name for record in dataset.gallery} == {"test"}
    assert dataset.attribute_schema == MARKET1501_SCHEMA
    assert all(record.attributes == answers(record.identity) for record in dataset.train)
    assert all(record.attributes is None for record in (*dataset.query, *dataset.gallery))
    assert not dataset.names_test_people
    assert summarise(dataset)["query"] == {"images": 2, "identities": 0}
    assert repr(dataset).startswith("attribute_challenge: train 24 images of 6 people, query 2 images of 0 people")


@pytest.mark.parametrize(
    ("name", "identity", "camera"),
    [("0009_17.png", 9, 0), ("9_c12_1.JPG", 9, 12), ("0009_crop.jpeg", 9, 0), ("0009_c3s1_000451_03.jpg", 9, 3)],
)
def test_names_begin_with_the_identity_and_may_leave_out_the_camera(root, name, identity, camera):
    (root / "train" / name).write_bytes(encoded_image(1))
    write_annotations(root / "more.csv", {str(person): answers(0) for person in (*PEOPLE, 9)})
    assert (name, identity, camera) in places(load(root, attributes=str(root / "more.csv")).train)


def test_annotations_of_training_images_do_not_describe_test_images_of_the_same_name(root):
    (root / "test" / "0002_c1s1_000000_00.jpg").write_bytes(encoded_image(1))
    write_annotations(root / "annotations_train.csv", {"0002_c1s1_000000_00.jpg": answers(0)})
    dataset = load(root)
    assert [record.attributes is not None for record in dataset.train] == [True] + [False] * 23
    assert all(record.attributes is None for record in dataset.gallery)


@pytest.mark.real_data
def test_annotations_in_the_published_form_are_read(root, real_data):
    with (real_data / "trento" / "annotations_sample.csv").open() as file:
        header, *rows = csv.reader(file)
    with (root / "annotations_train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *([str(p), *row[1:]] for p, row in zip(PEOPLE, rows, strict=False))])
    assert all(len(record.attributes) == 12 for record in load(root).train)


def test_it_is_validated_by_order_prepared_and_checked(root, tmp_path):
    dataset = load(root)
    held = by_order(dataset, share=0.6, queries=3)
    assert {record.identity for record in held.train} == set(PEOPLE[:4])
    assert held.names_test_people
    prepare(dataset, tmp_path / "prepared")
    again = load_dataset("prepared", str(tmp_path / "prepared"))
    assert not again.names_test_people
    assert [record.camera for record in again.query] == [-1, -1]
    unnamed, labelled = check(dataset, read_images=False)
    assert {unnamed.severity, labelled.severity} == {"note"}
    assert unnamed.sentence.startswith("None of the 7 query and gallery images says who it shows: a run is judged on")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "annotations_train.csv").unlink(), "missing: annotations_train.csv; found in"),
        (lambda root: (root / "queries").rename(root / "query"), "missing: queries; found in .*query/"),
        (lambda root: (root / "train" / "17.jpg").write_bytes(b""), "must be named like '0002_c1s1.*Received: 17.jpg"),
        (lambda root: [path.unlink() for path in (root / "test").iterdir()], "needs images in '.*test', which holds"),
        (lambda root: [path.unlink() for path in (root / "train").iterdir()], "needs images in '.*train', which holds"),
        (
            lambda root: (root / "train" / "0009_c1s1_0_0.jpg").write_bytes(encoded_image(1)),
            "no attributes for 1 identity of the images: 9",
        ),
    ],
)
def test_what_is_missing_is_named(root, change, message):
    change(root)
    with pytest.raises(InputError, match=message):
        load(root)


def test_its_folder_is_needed():
    with pytest.raises(InputError, match="'attribute_challenge' needs the folder that holds it"):
        load_dataset("attribute_challenge")
