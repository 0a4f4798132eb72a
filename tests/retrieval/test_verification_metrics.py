import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import det_curve, roc_auc_score, roc_curve

from reid_tf.errors import InputError
from reid_tf.retrieval.verification_metrics import verification_metrics


@pytest.fixture(params=[0.0, 0.05], ids=["all distances differ", "ties"])
def sides(request):
    """Distances of 400 genuine and 3,000 impostor pairs."""
    generator = np.random.default_rng(3)
    genuine, impostor = generator.normal(0.5, 0.2, 400), generator.normal(1.0, 0.2, 3000)
    if request.param:
        genuine, impostor = (np.round(side / request.param) * request.param for side in (genuine, impostor))
    return genuine.astype(np.float32), impostor.astype(np.float32)


def labels_and_scores(sides):
    genuine, impostor = sides
    return np.repeat([1, 0], [len(genuine), len(impostor)]), -np.concatenate(sides)


def test_points_area_and_errors_agree_with_sklearn(sides):
    metrics = verification_metrics(*sides)
    labels, scores = labels_and_scores(sides)
    false, true, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_array_equal(metrics.false_accept_rates, false)
    np.testing.assert_array_equal(metrics.true_accept_rates, true)
    np.testing.assert_array_equal(metrics.thresholds, -thresholds)
    assert metrics.area_under_curve == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    expected = brentq(lambda rate: 1 - rate - np.interp(rate, false, true), 0, 1)
    assert metrics.equal_error_rate == pytest.approx(expected, abs=1e-9)
    false, rejected, thresholds = det_curve(labels, scores)
    points = np.searchsorted(metrics.thresholds, -thresholds)
    np.testing.assert_allclose(metrics.false_accept_rates[points], false, atol=1e-12)
    np.testing.assert_allclose(1 - metrics.true_accept_rates[points], rejected, atol=1e-12)


@pytest.mark.parametrize("rate", [0.0034, 0.01, 0.1, 0.5, 0.97])
def test_a_threshold_keeps_to_its_rate_and_is_the_largest_that_does(sides, rate):
    genuine, impostor = sides
    metrics = verification_metrics(genuine, impostor)
    threshold = np.float32(metrics.threshold(rate))
    assert float(threshold) == metrics.threshold(rate)
    assert np.mean(impostor <= threshold) <= rate
    following = np.concatenate(sides)[np.concatenate(sides) > threshold].min()
    assert np.mean(impostor <= following) > rate
    assert np.mean(genuine <= threshold) == metrics.true_accepts(rate)
    best = max(np.mean(genuine <= t) for t in np.concatenate(sides) if np.mean(impostor <= t) <= rate)
    assert metrics.true_accepts(rate) == best


def test_a_threshold_between_neighbours_of_float32():
    low = np.float32(0.25)
    high = np.nextafter(low, np.float32(1))
    assert verification_metrics([low], [high, 1, 1, 1]).threshold(0.2) == low


def test_equal_errors_by_hand():
    # Thresholds 1, 2, 3, 4: rejects 3/4, 2/4, 1/4, 1/4; accepts 0, 0, 1/4, 2/4.
    assert verification_metrics([1, 2, 3, 5], [3, 4, 6, 7]).equal_error_rate == 0.25
    # From (accepts 0, rejects 1/2) to (1, 1/2): between them both are 1/2.
    assert verification_metrics([1, 3], [2, 2]).equal_error_rate == 0.5
    # One straight line from (0, 1) to (2/3, 1/2), then to (1, 0): equal at 1 - 3/4 x = x.
    assert verification_metrics([1, 2], [1, 1, 2]).equal_error_rate == pytest.approx(4 / 7)
    assert verification_metrics([1, 2], [3, 4]).equal_error_rate == 0


def test_where_all_distances_are_equal_nothing_can_be_accepted():
    metrics = verification_metrics(np.zeros(5), np.zeros(50))
    assert metrics.threshold(0.5) == -np.inf
    assert metrics.true_accepts(0.5) == 0
    assert metrics.equal_error_rate == metrics.area_under_curve == 0.5


def test_rates_that_the_pairs_do_not_resolve_have_no_figure():
    metrics = verification_metrics(np.arange(5), np.arange(10_000) + 2.5)
    assert metrics.smallest_rate == 1e-3
    assert metrics.to_dict()["true_accept_rates"] == {"0.01": 1.0, "0.001": 1.0, "0.0001": None}
    assert verification_metrics(np.arange(5), np.arange(9_999) + 2.5).to_dict()["true_accept_rates"]["0.001"] is None


@pytest.mark.parametrize(
    ("genuine", "impostor", "message"),
    [([], [1, 2], "Received: 0 up to .*, 2 up to"), ([1], [], "0 up to"), ([1, np.nan], [2], "up to .nan")],
)
def test_refuses_what_cannot_be_measured(genuine, impostor, message):
    with pytest.raises(InputError, match=message):
        verification_metrics(np.array(genuine), np.array(impostor))
