import dataclasses
from pathlib import Path

import pytest

from reid_tf.datasets.attributes.annotation_csv import write_annotations
from reid_tf.datasets.attributes.labels import AttributeLabels, add_attributes, annotation_labels
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.errors import InputError
from tests.datasets.made_datasets import dataset_of

A, B = (0,) * 12, (1,) * 12
DATASET = dataset_of([(2, 1), (7, 1)], [(1, 1), (3, 1)], [(0, 1), (1, 2), (3, 2)])


def labels(identities=None, images=None):
    return AttributeLabels(Path("labels"), MARKET1501_SCHEMA, identities or {}, images or {})


def attributes(dataset):
    return [[record.attributes for record in split] for split in (dataset.train, dataset.query, dataset.gallery)]


def test_labels_of_identities():
    described = add_attributes(DATASET, labels({1: A, 2: A, 3: B, 7: B, 99: B}))
    assert attributes(described) == [[A, B], [A, B], [None, A, B]]
    assert described.attribute_schema is MARKET1501_SCHEMA
    assert dataclasses.replace(described, attribute_schema=None).train[0].path == DATASET.train[0].path


def test_labels_of_the_training_identities_alone():
    assert attributes(add_attributes(DATASET, labels({2: A, 7: B}))) == [[A, B], [None] * 2, [None] * 3]


def test_labels_of_some_images():
    described = add_attributes(DATASET, labels(images={"001.jpg": B, "elsewhere.jpg": A}))
    assert attributes(described) == [[None, B], [None, B], [None, B, None]]


def test_an_image_goes_before_its_identity():
    described = add_attributes(DATASET, labels({1: A, 2: A, 7: A}, {"001.jpg": B}))
    assert attributes(described) == [[A, B], [A, B], [None, B, None]]


@pytest.mark.parametrize(
    ("identities", "message"),
    [
        ({2: A, 1: A, 3: A}, "'labels' has no attributes for 1 identity of the images: 7."),
        ({2: A, 7: A, 1: A}, "'labels' has no attributes for 1 identity of the images: 3."),
        ({2: A, 1: A}, "'labels' has no attributes for 2 identities of the images: 3, 7."),
        ({1: A, 3: A}, "'labels' has no attributes for 2 identities of the images: 2, 7."),
    ],
)
def test_identities_without_labels_are_named(identities, message):
    with pytest.raises(InputError) as caught:
        add_attributes(DATASET, labels(identities))
    assert str(caught.value) == message


def test_labels_of_another_data_set_are_named():
    with pytest.raises(
        InputError,
        match=r"'labels' describes none of the images \(a label file of another data set\?\): it has 50, 51, 52, 53, "
        "54 and 4 more, and the images show the identities 0, 1, 2, 3, 7",
    ):
        add_attributes(DATASET, labels(dict.fromkeys(range(50, 59), A)))
    with pytest.raises(InputError, match=r"it has x.jpg, and the images show"):
        add_attributes(DATASET, labels(images={"x.jpg": A}))
    with pytest.raises(InputError, match=r"it has nothing, and the images show"):
        add_attributes(DATASET, labels())


def test_ids_of_digits_are_identities(tmp_path):
    write_annotations(tmp_path / "a.csv", {"0012": A, "0012.jpg": B, "-1_c1.jpg": A})
    read = annotation_labels(tmp_path / "a.csv")
    assert read.identities == {12: A}
    assert read.images == {"0012.jpg": B, "-1_c1.jpg": A}
    assert (read.path, read.schema) == (tmp_path / "a.csv", MARKET1501_SCHEMA)
