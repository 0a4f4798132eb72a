import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_expit

from reid_tf.errors import InputError
from reid_tf.retrieval.calibration import Calibration, fit_logistic
from reid_tf.retrieval.fingerprint import Fingerprint

THRESHOLD = float(np.float32(0.3))
GIVEN = {"distance": "cosine", "threshold": THRESHOLD, "false_accept_rate": 0.001, "slope": 9.5, "intercept": 4.0}


def test_a_distance_at_the_threshold_is_the_same_person():
    above = np.nextafter(np.float32(THRESHOLD), np.float32(1))
    decided = Calibration(**GIVEN).same([[0.0, 0.3], [above, 2.0]])
    np.testing.assert_array_equal(decided, [[True, True], [False, False]])


def test_probability_is_logistic():
    probability = Calibration(**GIVEN).probability(np.array([0.0, 4 / 9.5, 1.0, 1e6]))
    np.testing.assert_allclose(probability, [1 / (1 + math.exp(-4)), 0.5, 1 / (1 + math.exp(5.5)), 0], atol=1e-12)


def test_a_file_gives_back_what_was_saved(tmp_path):
    encoder = Fingerprint("0123456789abcdef", (8, 4), flip=False, normalize=False, dim=3)
    calibration = Calibration(**GIVEN, figures={"images": 3, "compared": {"0.0001": None}}, encoder=encoder)
    calibration.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == calibration
    assert json.loads((tmp_path / "calibration.json").read_text()) == calibration.to_dict()
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"distance": "cosin"}, "Unknown distance: 'cosin'. Did you mean 'cosine'"),
        ({"false_accept_rate": 1.0}, "between 0 and 1, both excluded. Received: 1.0"),
        ({"threshold": -math.inf}, "must be finite. Received: {'threshold': -inf"),
        ({"threshold": 1e300}, "threshold must be a cosine distance, between 0 and 2. Received: 1e\\+300"),
        ({"threshold": -0.1}, "threshold must be a cosine distance, between 0 and 2. Received: -0.1"),
        (
            {"distance": "euclidean", "threshold": 1e300},
            "a euclidean distance, .* Received: 1e\\+300",
        ),
        ({"slope": -9.5}, "slope must be above 0, .* Received: -9.5"),
        ({"slope": 0.0}, "slope must be above 0, .* Received: 0"),
        ({"slope": "steep"}, "The calibration, 'slope' must be a number. Received: 'steep'"),
        ({"rate": 0.1}, "A calibration has the fields distance, threshold, .* Received: .*'rate': 0.1"),
    ],
)
def test_refuses_what_is_no_calibration(changed, message):
    with pytest.raises(InputError, match=message):
        Calibration.from_dict({**GIVEN, **changed})


def test_refuses_files_that_hold_none(tmp_path):
    path = tmp_path / "calibration.json"
    with pytest.raises(InputError, match="There is no calibration '.*calibration.json'; reid-tf calibrate writes it"):
        Calibration.load(path)
    for text, message in (("{", "is not a calibration .JSON"), ("[1]", "has the fields .* Received: .1"), ("{}", "{}")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            Calibration.load(path)


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


@pytest.mark.parametrize("number", ["1e999", "NaN", str(10**30)])
def test_a_file_with_another_number_is_a_sentence(tmp_path, number):
    Calibration("cosine", 0.5, 0.01, 2.0, 1.0, {"pairs": 7}).save(tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    for was in ("2.0", "7"):
        (tmp_path / "a.json").write_text(text.replace(was, number))
        with pytest.raises(InputError, match=f"a.json' is not a calibration .*: the number {number} "):
            Calibration.load(tmp_path / "a.json")
