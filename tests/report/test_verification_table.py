import numpy as np
import pandas as pd
import pytest

from reid_tf.report.verification_table import verification_table, write_verification_csv
from reid_tf.retrieval.verification_metrics import verification_metrics


def test_the_table_says_where_pairs_are_too_few():
    result = verification_metrics([1, 2, 3, 500], np.arange(1000, dtype=np.float32) + 2.5)
    header, _, row = verification_table({"cosine distance": result}).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert "true accepts at 0.1 % false" in header
    assert cells[0] == "cosine distance"
    assert cells[3:] == ["75.00", "too few pairs", "too few pairs"]  # 10 of 1,000 are at most 11.5
    assert float(cells[1]) == pytest.approx(25, abs=0.3)


def test_the_csv_offers_other_rates_and_an_empty_cell_for_no_threshold(tmp_path):
    impostor = np.arange(1000, dtype=np.float32)
    results = {"good": verification_metrics([-1, 4.5], impostor), "useless": verification_metrics([0], impostor * 0)}
    write_verification_csv(tmp_path / "calibration.csv", results)
    table = pd.read_csv(tmp_path / "calibration.csv")
    assert list(table.columns) == ["compared", "false_accept_rate", "threshold", "true_accept_rate"]
    good = table[table.compared == "good"]
    assert good.false_accept_rate.tolist() == [0.5, 0.2, 0.1, 0.05, 0.02, 0.01]
    assert good.threshold.tolist() == [499.5, 199.5, 99.5, 49.5, 19.5, 9.5]
    assert good.true_accept_rate.tolist() == [1] * 6
    assert table[table.compared == "useless"].threshold.isna().all()
