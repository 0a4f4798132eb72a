import json
import math

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval.calibration import Calibration

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
    calibration = Calibration(**GIVEN, figures={"images": 3, "compared": {"0.0001": None}})
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
        ({"slope": "steep"}, "The calibration's 'slope' is wrong: .* Received: 'steep'"),
        ({"rate": 0.1}, "A calibration has the fields distance, threshold, .* Received: .*'rate': 0.1"),
    ],
)
def test_refuses_what_is_no_calibration(changed, message):
    with pytest.raises(InputError, match=message):
        Calibration.from_dict({**GIVEN, **changed})


def test_refuses_files_that_hold_none(tmp_path):
    path = tmp_path / "calibration.json"
    with pytest.raises(InputError, match="There is no calibration '.*calibration.json'; tools/calibrate.py writes it"):
        Calibration.load(path)
    for text, message in (("{", "is no calibration .JSON"), ("[1]", "has the fields .* Received: .1"), ("{}", "{}")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            Calibration.load(path)
