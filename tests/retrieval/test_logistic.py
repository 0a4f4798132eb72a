import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_expit

from reid_tf.retrieval.calibration import Calibration, fit_logistic


def test_finds_what_distances_were_drawn_from():
    # Two normal distributions of one width: the probability is logistic, slope (m - n) / s^2, 1/2 in the middle.
    generator = np.random.default_rng(0)
    slope, intercept = fit_logistic(generator.normal(0.4, 0.1, 20_000), generator.normal(0.7, 0.1, 90_000))
    assert slope == pytest.approx(0.3 / 0.01, rel=0.03)
    assert intercept / slope == pytest.approx(0.55, abs=0.003)


def test_agrees_with_scipys_optimum():
    generator = np.random.default_rng(1)
    genuine, impostor = generator.gamma(4, 10, 3000), generator.gamma(9, 10, 5000)

    def loss(parameters):
        slope, intercept = parameters
        return -log_expit(intercept - slope * genuine).mean() - log_expit(slope * impostor - intercept).mean()

    assert fit_logistic(genuine, impostor) == pytest.approx(minimize(loss, [0.1, 5]).x, rel=0.01)


def test_stays_finite_where_distances_separate_or_say_nothing():
    slope, intercept = fit_logistic(np.array([0.1, 0.2]), np.array([0.8, 0.9, 0.9]))
    calibration = Calibration("cosine", 0.5, 0.01, slope, intercept)
    assert (np.diff(calibration.probability([0.1, 0.5, 0.9])) < -0.1).all()
    assert fit_logistic(np.zeros(3), np.zeros(4)) == pytest.approx((0, 0), abs=1e-6)
