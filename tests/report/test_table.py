import pytest

from reid_tf.errors import InputError
from reid_tf.report.table import metrics_table

TRAINED = {
    "rank1": 0.92663,
    "rank5": 1.0,
    "rank10": 1.0,
    "mAP": 0.7771,
    "mAP_trapezoid": 0.765,
    "mINP": 0.5,
    "valid_queries": 3368,
    "skipped_queries": 12,
}
COLOURS = {**dict.fromkeys(TRAINED, 0.031), "valid_queries": 3368, "skipped_queries": 12}


def test_a_row_an_encoder_in_percent():
    assert metrics_table({"trained": TRAINED, "colours": COLOURS}) == "\n".join(
        [
            "| %       | rank-1 | rank-5 | rank-10 | mAP (step) | mAP (trapezoid) |  mINP | valid queries | skipped |",
            "| ------- | -----: | -----: | ------: | ---------: | --------------: | ----: | ------------: | ------: |",
            "| trained |  92.66 | 100.00 |  100.00 |      77.71 |           76.50 | 50.00 |          3368 |      12 |",
            "| colours |   3.10 |   3.10 |    3.10 |       3.10 |            3.10 |  3.10 |          3368 |      12 |",
        ]
    )


def test_further_keys_do_no_harm():
    assert metrics_table({"a": {**TRAINED, "references": {}}}) == metrics_table({"a": TRAINED})


def test_a_spread_stands_behind_its_figure():
    drawn = {**TRAINED, "rank1_spread": 0.0125, "rank5_spread": 0.0, "rank10_spread": 0.0}
    lines = metrics_table({"drawn": drawn, "colours": COLOURS}).splitlines()
    assert lines[2] == (
        "| drawn   | 92.66 ± 1.25 | 100.00 ± 0.00 | 100.00 ± 0.00 |      77.71 |           76.50 | 50.00 |"
        "          3368 |      12 |"
    )
    assert {len(line) for line in lines} == {len(lines[0])}


def test_refuses_an_empty_table_and_missing_figures():
    with pytest.raises(InputError, match="at least one encoder"):
        metrics_table({})
    with pytest.raises(InputError, match=r"figures of 'a' lack rank5, .*Received: rank1"):
        metrics_table({"a": {"rank1": 0.5}})
