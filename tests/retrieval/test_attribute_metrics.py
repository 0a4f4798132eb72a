import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeGroup, AttributeSchema
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.retrieval.attribute_metrics import check_same_schema, evaluate_attributes, evaluate_records
from reid_tf.retrieval.attribute_score import FIGURES

HAT, AGE = AttributeGroup("hat", ("no", "yes")), AttributeGroup("age", ("young", "adult", "old"))
SCHEMA = AttributeSchema((HAT, AGE))


def drawn(seed, count=400, unknown=0.2):
    """Answers that are right about half the time, and labels of which some are unknown."""
    random = np.random.default_rng(seed)
    sizes = [len(group.classes) for group in MARKET1501_SCHEMA.groups]
    labels, others = (np.stack([random.integers(0, size, count) for size in sizes], axis=1) for _ in range(2))
    answers = np.where(random.random(labels.shape) < 0.5, labels, others)
    return answers, np.where(random.random(labels.shape) < unknown, -1, labels)


def test_binary_attributes_agree_with_sklearn():
    answers, labels = drawn(0)
    metrics = evaluate_attributes(MARKET1501_SCHEMA, answers, labels)
    binary_answers, binary_labels = (np.array([*map(MARKET1501_SCHEMA.to_binary, rows)]) for rows in (answers, labels))
    assert [score.name for score in metrics.attributes] == [*MARKET1501_SCHEMA.binary_names]
    for column, score in enumerate(metrics.attributes):
        known = binary_labels[:, column] >= 0
        truth, answer = binary_labels[known, column], binary_answers[known, column]
        assert score.images == known.sum() < 400
        assert score.accuracy == pytest.approx(accuracy_score(truth, answer))
        assert score.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, answer))
        assert score.f1 == pytest.approx(f1_score(truth, answer))
        assert score.positive_share == pytest.approx(truth.mean())


def test_groups_agree_with_sklearn():
    answers, labels = drawn(1)
    metrics = evaluate_attributes(MARKET1501_SCHEMA, answers, labels)
    assert [score.name for score in metrics.groups] == [group.name for group in MARKET1501_SCHEMA.groups]
    for column, score in enumerate(metrics.groups):
        known = labels[:, column] >= 0
        truth, answer = labels[known, column], answers[known, column]
        assert score.accuracy == pytest.approx(accuracy_score(truth, answer))
        assert score.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, answer))
        assert score.f1 == pytest.approx(f1_score(truth, answer, labels=np.unique(truth), average="macro"))


def test_means_leave_out_what_cannot_be_judged():
    # Nobody wears a hat; nobody is young; the last image has no label at all.
    labels = [[0, 1], [0, 1], [0, 2], [-1, 2], [-1, -1]]
    answers = [[1, 1], [0, 2], [0, 2], [0, 2], [0, 0]]
    metrics = evaluate_attributes(SCHEMA, answers, labels)
    assert metrics.images == 4
    assert {score.name: score.is_judged for score in metrics.attributes} == {
        "hat": False,
        "age=young": False,
        "age=adult": True,
        "age=old": True,
    }
    assert (metrics.skipped(), metrics.skipped("groups")) == (2, 1)
    assert metrics.mean("accuracy") == pytest.approx(3 / 4)
    assert metrics.mean("balanced_accuracy") == pytest.approx((1 / 2 + 1) / 2)
    assert metrics.mean("f1") == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert metrics.mean("accuracy", "groups") == pytest.approx(3 / 4)


def test_metrics_are_json_values():
    metrics = evaluate_attributes(SCHEMA, [[1, 1], [0, 2]], [[0, 1], [0, 2]])
    read = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert read["images"] == 2
    assert read["attributes"]["hat"]["balanced_accuracy"] is None
    assert read["mean_attributes"] == {
        "accuracy": 1, "balanced_accuracy": 1, "f1": 1, "positive_share": 0.5, "majority_share": 0.5,
    }  # fmt: skip
    assert read["skipped_attributes"] == 2
    assert set(read["mean_groups"]) == set(FIGURES) - {"positive_share"}
    assert read["groups"]["age"]["accuracy"] == 1


def test_nothing_to_judge_gives_no_mean():
    metrics = evaluate_attributes(SCHEMA, [[0, 0]], [[-1, -1]])
    assert math.isnan(metrics.mean("accuracy"))
    assert metrics.to_dict()["mean_attributes"]["accuracy"] is None
    assert (metrics.images, metrics.skipped()) == (0, 4)


@pytest.mark.parametrize(
    ("predicted", "truths", "message"),
    [
        ([[0, 1]], [[0, 1], [0, 2]], r"both be \[images, 2\]. Received: \(1, 2\) and \(2, 2\)"),
        ([[0, 1, 0]], [[0, 1, 0]], r"Received: \(1, 3\) and \(1, 3\)"),
        ([[0, 3]], [[0, 1]], "The answers of 'age' must be 0 to 2. Received: 3."),
        ([[-1, 1]], [[0, 1]], "The answers of 'hat' must be 0 to 1. Received: -1."),
        ([[0, 1]], [[-2, 1]], "The labels of 'hat' must be -1 to 1. Received: -2."),
    ],
)
def test_what_is_no_class_is_refused(predicted, truths, message):
    with pytest.raises(InputError, match=message):
        evaluate_attributes(SCHEMA, predicted, truths)


CODING = AttributeCoding(SCHEMA, "classes")
OUTPUTS = np.array([[0.9, 0.1, 0.1, 0.8, 0.1], [0.2, 0.8, 0.6, 0.2, 0.2], [0.5, 0.5, 1, 0, 0]])


def records(*attributes):
    return [Record(f"{index}.jpg", index, 1, answers) for index, answers in enumerate(attributes)]


def test_records_bring_their_labels():
    metrics = evaluate_records(CODING, OUTPUTS, records((0, 1), (1, -1), None), SCHEMA)
    alone = evaluate_attributes(SCHEMA, [[0, 1], [1, 0], [0, 0]], [[0, 1], [1, -1], [-1, -1]])
    np.testing.assert_equal(asdict(metrics), asdict(alone))  # some figures are nan
    assert [score.images for score in metrics.groups] == [2, 1]


def test_records_without_labels_give_nothing():
    assert evaluate_records(CODING, OUTPUTS, records(None, None, None), SCHEMA) is None
    assert evaluate_records(CODING, OUTPUTS, records((-1, -1), None, None), SCHEMA) is None
    assert evaluate_records(CODING, OUTPUTS, records(None, None, None), None) is None


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((AttributeGroup("hat", ("yes", "no")), AGE), r"group 1 is \(hat: yes, no\), .* trained on \(hat: no, yes\)"),
        ((HAT,), r"group 2 is \(none\), and the model was trained on \(age: young, adult, old\)"),
        ((HAT, AGE, HAT), r"group 3 is \(hat: no, yes\), and the model was trained on \(none\)"),
    ],
)
def test_another_data_sets_schema_is_refused(groups, message):
    with pytest.raises(InputError, match=f"attributes are not the model's: {message}"):
        evaluate_records(CODING, OUTPUTS, records((0, 1), (1, 1), None), AttributeSchema(groups))


def test_the_same_schema_passes():
    check_same_schema(SCHEMA, AttributeSchema((HAT, AGE)))
