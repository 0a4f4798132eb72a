import math

import numpy as np
import pytest

from reid_tf.retrieval.attribute_score import score_attribute


def test_a_rare_attribute_counted_by_hand():
    # 10 images, 2 with a hat; one hat found, one missed, one seen where there is none.
    labels = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    answers = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    score = score_attribute("hat", answers, labels, 2, binary=True)
    assert (score.name, score.images) == ("hat", 10)
    assert score.accuracy == pytest.approx(8 / 10)
    assert score.balanced_accuracy == pytest.approx((1 / 2 + 7 / 8) / 2)
    assert score.f1 == pytest.approx(1 / 2)  # precision 1/2, recall 1/2
    assert score.positive_share == pytest.approx(2 / 10)
    assert score.majority_share == pytest.approx(8 / 10)  # what "nobody has a hat" would be right in
    assert score.is_judged


def test_a_group_counted_by_hand():
    # Class 2 is never labelled, once answered; class 0 has 4 images, class 1 has 2.
    labels = np.array([0, 0, 0, 0, 1, 1])
    answers = np.array([0, 0, 0, 2, 1, 0])
    score = score_attribute("age", answers, labels, 3, binary=False)
    assert score.accuracy == pytest.approx(4 / 6)
    assert score.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert score.f1 == pytest.approx((2 * 3 / (4 + 4) + 2 * 1 / (2 + 1)) / 2)
    assert math.isnan(score.positive_share)
    assert score.majority_share == pytest.approx(4 / 6)


@pytest.mark.parametrize(("label", "share"), [(0, 0), (1, 1)])
def test_one_class_among_the_labels_is_not_judged(label, share):
    score = score_attribute("hat", np.array([0, 1, 1]), np.full(3, label), 2, binary=True)
    assert not score.is_judged
    assert math.isnan(score.f1)
    assert (score.positive_share, score.majority_share) == (share, 1)
    assert score.accuracy == pytest.approx((1 + label) / 3)
    assert score.to_dict()["balanced_accuracy"] is None


def test_without_labels_there_is_no_figure():
    nothing = np.zeros(0, int)
    score = score_attribute("hat", nothing, nothing, 2, binary=True)
    assert score.to_dict() == {
        "images": 0, "accuracy": None, "balanced_accuracy": None, "f1": None, "positive_share": None,
        "majority_share": None,
    }  # fmt: skip
