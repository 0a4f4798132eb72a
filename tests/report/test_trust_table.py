import csv

import numpy as np

from reid_tf.report.trust_table import camera_table, interval_table, write_camera_csv
from reid_tf.retrieval import Embeddings
from reid_tf.retrieval.camera_pairs import evaluate_camera_pairs
from reid_tf.retrieval.intervals import Interval

PAIRS = evaluate_camera_pairs(
    Embeddings(np.eye(3), [1, 2, 1], [1, 1, 2]), Embeddings(np.eye(3)[[0, 2, 1]], [1, 2, 9], [2, 2, 4])
)


def test_intervals_in_percent():
    table = interval_table({"a run": {"rank1": Interval(0.5, 0.75), "mAP": Interval(0.123, 0.4)}}, people=1200)
    assert table.splitlines()[0].startswith("| 95 % interval over 1,200 people |")
    assert "| a run " in table.splitlines()[2]
    assert "50.0 to 75.0 | 12.3 to 40.0 |" in table


def test_a_matrix_of_cameras():
    lines = camera_table(PAIRS).splitlines()
    assert lines[0] == "| rank-1 / mAP, % of  | in camera 2 |"
    assert lines[2] == "| queries of camera 1 | 50.0 / 75.0 |"


def test_a_line_for_each_pair(tmp_path):
    write_camera_csv(tmp_path / "cameras.csv", PAIRS)
    (row,) = csv.DictReader((tmp_path / "cameras.csv").open())
    assert row == {
        "query_camera": "1",
        "gallery_camera": "2",
        "valid_queries": "2",
        "rank1": "0.500000",
        "mAP": "0.750000",
    }
