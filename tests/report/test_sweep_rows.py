import numpy as np
import pytest

from reid_tf.report.sweep_rows import SweepRow, mean_rows

RATE = "augment.random_erasing.probability"


def run(rate, seed, rank1=None, **more):
    figures = {} if rank1 is None else {"rank1": rank1, "rank1_spread": 0.01, "valid_queries": 100 + seed}
    return SweepRow({RATE: rate}, f"{rate}-{seed}", figures, None if rank1 is None else 10.0 * seed, **more)


def test_means_and_standard_deviations_are_those_of_numpy():
    shares = np.random.default_rng(0).random((2, 5))
    rows = [run(rate, seed, float(shares[rate, seed])) for seed in range(5) for rate in (0, 1)]
    means = mean_rows(rows)
    assert [row.values for row in means] == [{RATE: 0}, {RATE: 1}]
    for row, of_row in zip(means, shares, strict=True):
        assert row.figures == {"rank1": pytest.approx(of_row.mean()), "valid_queries": 102}  # a number of images
        assert row.spreads == {"rank1": pytest.approx(of_row.std(ddof=1))}
        assert (row.state, row.finished, row.runs, row.seconds) == ("finished", 5, 5, 20.0)


@pytest.mark.parametrize(
    ("rows", "state", "finished"),
    [
        ([run(0, 1), run(0, 2)], "not run yet", 0),
        ([run(0, 1, 0.5), run(0, 2)], "unfinished", 1),
        ([run(0, 1, 0.5), run(0, 2, error="stopped")], "failed", 1),
        ([run(0, 1, 0.5), run(0, 2, 0.6)], "finished", 2),
    ],
)
def test_a_row_says_how_many_of_its_runs_count(rows, state, finished):
    (row,) = mean_rows(rows)
    assert (row.state, row.finished, row.runs) == (state, finished, 2)
    assert ("rank1" in row.figures, "rank1" in row.spreads) == (finished > 0, finished > 1)
    assert row.seconds == {0: None, 1: 10.0, 2: 15.0}[finished]


def test_values_of_other_types_are_other_rows():
    rows = [SweepRow({"a": value}, str(value), reported={"mAP": 0.5}) for value in (1, "1", [1], True, 1)]
    means = mean_rows(rows)
    assert [(row.values["a"], row.runs) for row in means] == [(1, 2), ("1", 1), ([1], 1), (True, 1)]
    assert means[0].reported == {"mAP": 0.5}
    assert mean_rows([]) == []
