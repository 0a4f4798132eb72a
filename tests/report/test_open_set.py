import cv2
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report.open_set import open_set_curve, open_set_table
from reid_tf.retrieval.open_set import OpenSetMetrics

METRICS = OpenSetMetrics(np.float32([0.1, 0.2, 0.3]), 4, np.linspace(0.15, 1, 200, dtype=np.float32))


def test_the_counts_stand_beside_the_rates():
    lines = open_set_table(METRICS, threshold=0.25).splitlines()
    assert "4 known and 200 unknown queries" in lines[0]
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "10 % false alarms",
        "1 % false alarms",
        "calibrated threshold",
        "0.1 % false alarms",
    ]
    assert "20 of 200 (10.00 %) |          50.00 |" in lines[2]
    assert "2 of 200 (1.00 %) |          25.00 |" in lines[3]
    assert "24 of 200 (12.00 %) |          50.00 |" in lines[4]
    assert "needs 1,000 unknown queries" in lines[5]


def test_a_curve_is_drawn(tmp_path):
    open_set_curve(tmp_path / "open_set.png", {"one": METRICS}, threshold=0.25)
    assert cv2.imread(str(tmp_path / "open_set.png")).std() > 0
    with pytest.raises(InputError, match=r"Received: .*open_set.jpg', \['one'\]"):
        open_set_curve(tmp_path / "open_set.jpg", {"one": METRICS})
