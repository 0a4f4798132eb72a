import cv2
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from reid_tf.errors import InputError
from reid_tf.report.sweep import sweep_plot, sweep_table, write_sweep_report
from reid_tf.report.sweep_rows import SweepRow

RATE = "augment.random_erasing.probability"
FIGURES = {"rank1": 0.8824, "rank5": 1.0, "mAP": 0.7114, "valid_queries": 3368}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    seen = []
    original = matplotlib.figure.Figure.savefig

    def remember(self, *arguments, **options):
        seen.append(self)
        original(self, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", remember)
    return seen


def rows_of_one_option():
    """Out of order, one failed, one waiting."""
    return [
        SweepRow({RATE: 1.0}, "c", {**FIGURES, "mAP": 0.5}, 61.6, {"rank1": 0.8919}),
        SweepRow({RATE: 0.0}, "a", FIGURES, 60.2, {"rank1": 0.8824}),
        SweepRow({RATE: 0.5}, "b", reported={"rank1": 0.9002}, error="The loss became nan."),
        SweepRow({RATE: 0.7}, "d", reported={"rank1": 0.8904}),
    ]


def test_the_table_says_what_is_finished_and_what_failed():
    first, empty, *table, end, failed = sweep_table(rows_of_one_option(), "the paper, table 2").splitlines()
    assert first == (
        "2 of 4 runs finished, 1 failed. Shares in %; the columns called reported are those of the paper, table 2."
    )
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in (table[0], *table[2:])] == [
        [RATE, "state", "rank-1", "rank-5", "mAP (step)", "valid queries", "reported rank-1", "seconds", "run"],
        ["1.0", "finished", "88.24", "100.00", "50.00", "3368", "89.19", "62", "c"],
        ["0.0", "finished", "88.24", "100.00", "71.14", "3368", "88.24", "60", "a"],
        ["0.5", "failed", "-", "-", "-", "-", "90.02", "-", "b"],
        ["0.7", "not run yet", "-", "-", "-", "-", "89.04", "-", "d"],
    ]
    assert (empty, end, failed) == ("", "", "- `b` failed: The loss became nan.")


def test_files(tmp_path):
    rows = rows_of_one_option()
    write_sweep_report(tmp_path, rows, "the paper, table 2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.csv", "sweep.md", "sweep.png"]
    assert (tmp_path / "sweep.md").read_text() == sweep_table(rows, "the paper, table 2") + "\n"
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert table[RATE].tolist() == [1.0, 0.0, 0.5, 0.7]
    assert table["state"].tolist() == ["finished", "finished", "failed", "not run yet"]
    assert table["error"].tolist()[2] == "The loss became nan."
    np.testing.assert_array_equal(table["mAP"], [0.5, 0.7114, np.nan, np.nan])
    np.testing.assert_array_equal(table["reported_rank1"], [0.8919, 0.8824, 0.9002, 0.8904])
    assert "3368,0.89" in (tmp_path / "sweep.csv").read_text(), "a count stays a whole number"
    picture = cv2.imread(str(tmp_path / "sweep.png"))
    assert picture.shape == (540, 1200, 3)
    assert picture.std() > 10


def test_before_the_first_run_is_finished_there_is_no_plot(tmp_path):
    write_sweep_report(tmp_path, [SweepRow({RATE: 0.0}, "a")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.csv", "sweep.md"]


def test_ours_is_solid_with_a_gap_and_what_is_reported_dashed(tmp_path, drawn):
    sweep_plot(tmp_path / "a.png", rows_of_one_option(), "the paper, table 2")
    rank1, mean_average_precision = drawn[0].axes
    ours, reported = rank1.get_lines()
    np.testing.assert_array_equal(ours.get_xdata(), [0, 0.5, 0.7, 1])
    np.testing.assert_array_equal(ours.get_ydata(), [88.24, np.nan, np.nan, 88.24])
    np.testing.assert_allclose(reported.get_ydata(), [88.24, 90.02, 89.04, 89.19])
    assert (ours.get_linestyle(), reported.get_linestyle()) == ("-", "--")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == [
        "measured",
        "reported by the paper, table 2",
    ]
    assert len(mean_average_precision.get_lines()) == 1
    assert rank1.get_ylabel() == "rank-1, %"
    assert drawn[0].get_suptitle() == "2 of 4 runs finished, 1 failed"


def test_of_two_options_the_second_gives_a_line_for_each_value(tmp_path, drawn):
    rows = [
        SweepRow({"optimizer.learning_rate": rate, "backbone.name": name}, f"{rate}{name}", {"rank1": rank1})
        for rate, name, rank1 in ((1e-4, "tiny", 0.1), (1e-4, "vgg16", 0.2), (1e-2, "tiny", 0.3), (1e-2, "vgg16", 0.4))
    ]
    sweep_plot(tmp_path / "a.png", rows)
    (axes,) = drawn[0].axes
    assert {line.get_label(): [*line.get_ydata()] for line in axes.get_lines()} == {
        "backbone.name tiny": [10, 30],
        "backbone.name vgg16": [20, 40],
    }
    assert axes.get_xscale() == "log"


def test_values_that_are_no_numbers_stand_side_by_side(tmp_path, drawn):
    rows = [
        SweepRow({"a": value}, str(value), {"PCK": share, "images": 4})
        for value, share in (("x", 0.1), (True, 0.2), (None, 0.3))
    ]
    sweep_plot(tmp_path / "a.png", rows)
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "true", "null"]
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_xydata(), [[0, 10], [1, 20], [2, 30]])
    assert line.get_linestyle() == "None"
    assert axes.get_ylabel() == "PCK, %"


def repeated_rows():
    """Two rates with three seeds each; one run of the second has failed."""
    shares = {0.0: (0.7, 0.8, 0.9), 0.5: (0.6, 0.7, None)}
    return [
        SweepRow(
            {RATE: rate},
            f"{rate}-{seed}",
            {} if share is None else {"rank1": share, "mAP": share / 2, "valid_queries": 300},
            None if share is None else 60.0 + seed,
            {"rank1": 0.88},
            "The loss became nan." if share is None else "",
            {"seed": seed},
        )
        for rate, of_rate in shares.items()
        for seed, share in enumerate(of_rate, 1)
    ]


def test_of_repetitions_a_row_has_the_mean_and_the_spread():
    first, _, *table, _, failed = sweep_table(repeated_rows(), "the paper").splitlines()
    assert first == (
        "5 of 6 runs finished, 1 failed. Shares in %; the columns called reported are those of the paper. Each row is "
        "the mean over its runs, ± their standard deviation."
    )
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in (table[0], *table[2:])] == [
        [RATE, "state", "rank-1", "mAP (step)", "valid queries", "reported rank-1", "seconds", "runs"],
        ["0.0", "finished", "80.00 ± 10.00", "40.00 ± 5.00", "300", "88.00", "62", "3 of 3"],
        ["0.5", "failed", "65.00 ± 7.07", "32.50 ± 3.54", "300", "88.00", "62", "2 of 3"],
    ]
    assert failed == "- `0.5-3` failed: The loss became nan."


def test_files_of_repetitions(tmp_path):
    write_sweep_report(tmp_path, repeated_rows(), "the paper")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.csv", "sweep.csv", "sweep.md", "sweep.png"]
    means, runs = pd.read_csv(tmp_path / "sweep.csv"), pd.read_csv(tmp_path / "runs.csv")
    np.testing.assert_allclose(means["rank1"], [0.8, 0.65])
    np.testing.assert_allclose(means["rank1_spread"], [0.1, np.std([0.6, 0.7], ddof=1)])
    assert means["finished_runs"].tolist() == [3, 2]
    assert means["runs"].tolist() == [3, 3]
    assert runs["seed"].tolist() == [1, 2, 3] * 2
    np.testing.assert_array_equal(runs["rank1"], [0.7, 0.8, 0.9, 0.6, 0.7, np.nan])


def test_the_mean_is_drawn_with_a_bar_of_one_standard_deviation(tmp_path, drawn):
    sweep_plot(tmp_path / "a.png", repeated_rows(), "the paper")
    rank1 = drawn[0].axes[0]
    ours, reported = rank1.get_lines()
    np.testing.assert_allclose(ours.get_xydata(), [[0, 80], [0.5, 65]])
    np.testing.assert_allclose(reported.get_ydata(), [88, 88])
    (bars,) = rank1.collections
    np.testing.assert_allclose(bars.get_segments()[0], [[0, 70], [0, 90]])
    assert ours.get_label() == "measured: mean, and standard deviation as a bar"


def test_where_nothing_is_varied_there_is_one_row(tmp_path, drawn):
    rows = [SweepRow({}, f"seed={seed}", {"rank1": seed / 10}, repetition={"seed": seed}) for seed in (1, 2, 3)]
    write_sweep_report(tmp_path, rows)
    assert "| finished | 20.00 ± 10.00 |" in " ".join(sweep_table(rows).split())
    assert pd.read_csv(tmp_path / "sweep.csv")["rank1"].tolist() == [pytest.approx(0.2)]
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() == "all runs"
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [20])


def test_runs_without_shares_have_a_table_and_no_plot(tmp_path):
    write_sweep_report(tmp_path, [SweepRow({RATE: 0.0}, "a", {"valid_queries": 0, "skipped_queries": 5})])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.csv", "sweep.md"]


def test_refuses_what_makes_no_table_or_plot(tmp_path):
    with pytest.raises(InputError, match=r"at least one run. Received: \[\]"):
        sweep_table([])
    for name, row in (("a.pdf", SweepRow({"a": 1}, "a", FIGURES)), ("a.png", SweepRow({"a": 1}, "a"))):
        with pytest.raises(InputError, match=rf"{name}', \d of 1 runs finished"):
            sweep_plot(tmp_path / name, [row])
    assert not list(tmp_path.iterdir())
