import json

import numpy as np
import pytest

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeGroup, AttributeSchema
from reid_tf.errors import InputError

SCHEMA = AttributeSchema(
    (
        AttributeGroup("hat", ("no", "yes")),
        AttributeGroup("age", ("young", "adult", "old")),
        AttributeGroup("colour", ("red", "blue", "multi-colour")),
    )
)
CLASSES, BINARY = (AttributeCoding(SCHEMA, kind) for kind in ("classes", "binary"))


def test_sizes():
    assert (CLASSES.size, BINARY.size) == (2 + 3 + 3, 1 + 3 + 2)
    assert AttributeCoding(MARKET1501_SCHEMA, "classes").size == 41
    assert AttributeCoding(MARKET1501_SCHEMA, "binary").size == 30


def test_softmaxes_are_the_probabilities():
    hat, age, colour = CLASSES.class_probabilities([[0.3, 0.7, 0.2, 0.5, 0.3, 0.1, 0.1, 0.8]])
    np.testing.assert_allclose(hat, [[0.3, 0.7]])
    np.testing.assert_allclose(age, [[0.2, 0.5, 0.3]])
    np.testing.assert_allclose(colour, [[0.1, 0.1, 0.8]])


def test_sigmoids_become_probabilities_of_classes():
    hat, age, colour = BINARY.class_probabilities([[0.9, 0.2, 0.8, 0.6, 0.5, 0.1]])
    np.testing.assert_allclose(hat, [[0.1, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(age, [[0.125, 0.5, 0.375]], rtol=1e-6)
    # No single colour: neither red nor blue, (1 - 0.5) (1 - 0.1) = 0.45, beside 0.5 and 0.1.
    np.testing.assert_allclose(colour, np.array([[0.5, 0.1, 0.45]]) / 1.05, rtol=1e-6)


@pytest.mark.parametrize("coding", [CLASSES, BINARY])
def test_rows_of_every_group_sum_to_one(coding):
    outputs = np.random.default_rng(0).uniform(0.01, 0.99, (50, coding.size))
    if coding is CLASSES:
        outputs = np.concatenate([part / part.sum(axis=1, keepdims=True) for part in np.split(outputs, [2, 5], 1)], 1)
    of_groups = coding.class_probabilities(outputs)
    assert [group.shape for group in of_groups] == [(50, 2), (50, 3), (50, 3)]
    for group in of_groups:
        assert group.dtype == np.float32
        np.testing.assert_allclose(group.sum(axis=1), 1, rtol=1e-5)


def test_answers_are_the_likeliest_classes():
    answers = CLASSES.answers([[0.3, 0.7, 0.2, 0.5, 0.3, 0.1, 0.1, 0.8], [0.6, 0.4, 0.1, 0.1, 0.8, 0.5, 0.2, 0.3]])
    assert answers.tolist() == [[1, 1, 2], [0, 2, 0]]
    assert answers.dtype == np.int64
    # All colours unlikely: no single one. Two likely ages: the likelier.
    assert BINARY.answers([[0.4, 0.6, 0.7, 0.1, 0.1, 0.2]]).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("schema", [SCHEMA, MARKET1501_SCHEMA])
def test_answers_undo_the_coding_of_labels(schema):
    random = np.random.default_rng(1)
    labels = np.stack([random.integers(0, len(group.classes), 40) for group in schema.groups], axis=1)
    sigmoids = np.array([schema.to_binary(row) for row in labels], float).clip(0.02, 0.98)
    softmaxes = np.concatenate(
        [np.eye(len(group.classes))[column] for group, column in zip(schema.groups, labels.T, strict=True)], axis=1
    )
    np.testing.assert_array_equal(AttributeCoding(schema, "binary").answers(sigmoids), labels)
    np.testing.assert_array_equal(AttributeCoding(schema, "classes").answers(softmaxes), labels)


@pytest.mark.parametrize("coding", [CLASSES, BINARY, AttributeCoding(MARKET1501_SCHEMA, "binary")])
def test_travels_as_json(coding):
    assert AttributeCoding.from_dict(json.loads(json.dumps(coding.to_dict()))) == coding


@pytest.mark.parametrize("shape", [(4, 7), (8,), (1, 1, 8)])
def test_outputs_of_another_width_are_refused(shape):
    with pytest.raises(InputError, match=r"of kind 'classes' must be \[images, 8\]. Received: \("):
        CLASSES.class_probabilities(np.zeros(shape))
