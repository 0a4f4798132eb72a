import json
import math

import numpy as np
import pytest

from reid_tf.datasets.joint_orders import JOINTS
from reid_tf.errors import InputError
from reid_tf.pose.landmark_metrics import landmark_metrics, percentage_of_correct_keypoints

SHOULDERS, HIPS = (2, 5), (8, 11)


@pytest.fixture
def pairs():
    """Landmarks and true ones nearby, some of which are not visible or were not found."""
    rng = np.random.default_rng(0)
    true = rng.random((60, 18, 3))
    predicted = true + rng.normal(0, 0.08, true.shape)
    true[..., 2] = rng.random((60, 18)) < 0.7
    predicted[..., 2] = rng.random((60, 18)) < 0.9
    return predicted, true


def naive(predicted, true, sizes, threshold):
    """The definition in loops."""
    shares, skipped = [], 0
    right = [[] for _ in range(18)]
    for found, wanted, (height, width) in zip(predicted, true, sizes, strict=True):

        def pixel(point, width=width, height=height):
            return point[0] * width, point[1] * height

        diagonals = [
            math.dist(pixel(wanted[shoulder]), pixel(wanted[hip]))
            for shoulder, hip in ((2, 11), (5, 8))
            if wanted[shoulder, 2] > 0 and wanted[hip, 2] > 0
        ]
        if not diagonals:
            skipped += 1
            continue
        for joint in range(18):
            if wanted[joint, 2] > 0:
                near = math.dist(pixel(found[joint]), pixel(wanted[joint])) <= threshold * max(diagonals)
                right[joint].append(near and found[joint, 2] > 0)
    shares = [np.mean(hits) if hits else np.nan for hits in right]
    return shares, skipped


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("mixed", [False, True])
def test_it_equals_the_definition(pairs, threshold, mixed):
    rng = np.random.default_rng(1)
    sizes = rng.integers(40, 300, (60, 2)) if mixed else np.tile((128, 64), (60, 1))
    shares, skipped = naive(*pairs, sizes, threshold)
    metrics = landmark_metrics(*pairs, sizes if mixed else (128, 64), threshold)
    np.testing.assert_allclose(metrics.per_joint, shares)
    assert metrics.mean == pytest.approx(np.mean(shares))
    assert 0 < metrics.skipped == skipped
    assert metrics.images + metrics.skipped == 60
    per_joint, mean = percentage_of_correct_keypoints(*pairs, sizes if mixed else (128, 64), threshold)
    np.testing.assert_array_equal(per_joint, metrics.per_joint)
    assert mean == metrics.mean


def test_a_hand_made_case():
    true = np.zeros((1, 18, 3))
    true[0, [2, 11]] = (0.5, 0.25, 1), (0.5, 0.75, 1)  # a torso of 50 pixels in 100 x 40
    true[0, [0, 3]] = (0.5, 0.1, 1), (0.5, 0.4, 1)
    predicted = true.copy()
    predicted[0, 0, 0] += 9.9 / 40
    predicted[0, 3, 1] += 10.1 / 100
    per_joint, mean = percentage_of_correct_keypoints(predicted, true, (100, 40))
    assert per_joint[[0, 2, 3, 11]].tolist() == [1, 1, 0, 1]
    assert np.isnan(np.delete(per_joint, [0, 2, 3, 11])).all()
    assert mean == 0.75
    predicted[0, 0, 2] = 0  # near by chance, but not found
    assert percentage_of_correct_keypoints(predicted, true, (100, 40))[1] == 0.5


def test_images_without_a_torso_are_left_out(pairs):
    predicted, true = pairs
    true[:, HIPS, 2] = 0
    metrics = landmark_metrics(predicted, true, (128, 64))
    assert (metrics.images, metrics.skipped) == (0, 60)
    assert np.isnan(metrics.per_joint).all()
    assert math.isnan(metrics.mean)
    true[:, HIPS, 2] = true[:, SHOULDERS, 2] = 1
    true[:, :, :2] = 0.5  # a torso without length
    assert landmark_metrics(predicted, true, (128, 64)).skipped == 60


def test_the_figures_as_json(pairs):
    predicted, true = pairs
    true[:, 17, 2] = 0
    figures = json.loads(json.dumps(landmark_metrics(predicted, true, (128, 64)).to_dict(), allow_nan=False))
    assert list(figures["PCK_by_joint"]) == list(JOINTS)
    assert figures["PCK_by_joint"]["left_ear"] is None
    assert 0 < figures["PCK"] < 1


def test_what_cannot_be_compared_is_named(pairs):
    predicted, true = pairs
    with pytest.raises(InputError, match=r"both be \[N, 18, 3\]. Received: \[60, 17, 3\] and \[60, 17, 3\]"):
        landmark_metrics(predicted[:, :17], true[:, :17], (128, 64))
    with pytest.raises(InputError, match=r"Received: \[59, 18, 3\] and \[60, 18, 3\]"):
        landmark_metrics(predicted[1:], true, (128, 64))
    with pytest.raises(InputError, match="threshold must be positive. Received: threshold=0"):
        landmark_metrics(predicted, true, (128, 64), 0)
