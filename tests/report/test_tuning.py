import cv2
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from reid_tf.errors import InputError
from reid_tf.report.tuning import TrialRow, tuning_plot, tuning_table, write_tuning_report

RATE, MARGIN = "optimizer.learning_rate", "model.triplet.margin"


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


def rows():
    """Two rungs, one trial failed, one interrupted; trials 2 and 5 are equally good."""
    return [
        TrialRow(1, {RATE: 1e-3, MARGIN: "soft"}, 2, 0.25, 2, 10.4),
        TrialRow(2, {RATE: 1e-2, MARGIN: 0.3}, 2, 0.5, 1, 10.6),
        TrialRow(3, {RATE: 1e-1, MARGIN: 0.3}, 2, error="The loss became nan."),
        TrialRow(4, {RATE: 1e-4, MARGIN: "soft"}, 6),
        TrialRow(5, {RATE: 2e-2, MARGIN: 0.3}, 6, 0.5, 6, 30.0),
    ]


def test_the_table_has_the_best_first_and_says_what_failed():
    first, _, header, _, *table, _, failed = tuning_table(rows()).splitlines()
    assert first == "3 of 5 trials finished, 1 failed, 1 interrupted."
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, *table)] == [
        ["trial", RATE, MARGIN, "state", "val mAP, %", "best epoch", "epochs", "seconds"],
        ["2", "0.01", "0.3", "finished", "50.00", "1", "2", "11"],
        ["5", "0.02", "0.3", "finished", "50.00", "6", "6", "30"],
        ["1", "0.001", "soft", "finished", "25.00", "2", "2", "10"],
        ["3", "0.1", "0.3", "failed", "-", "-", "2", "-"],
        ["4", "0.0001", "soft", "interrupted", "-", "-", "6", "-"],
    ]
    assert failed == "- trial 3 failed: The loss became nan."


def test_files(tmp_path):
    write_tuning_report(tmp_path, rows(), [RATE])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials.csv", "trials.md", "trials.png"]
    assert (tmp_path / "trials.md").read_text() == tuning_table(rows()) + "\n"
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["trial"].tolist() == [2, 5, 1, 3, 4]
    assert table[RATE].tolist() == [0.01, 0.02, 0.001, 0.1, 0.0001]
    np.testing.assert_array_equal(table["val_mAP"], [0.5, 0.5, 0.25, np.nan, np.nan])
    assert table["error"].tolist()[3] == "The loss became nan."
    picture = cv2.imread(str(tmp_path / "trials.png"))
    assert picture.shape == (540, 1080, 3)
    assert picture.std() > 10


def test_before_the_first_trial_is_finished_there_is_no_plot(tmp_path):
    write_tuning_report(tmp_path, rows()[2:4])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials.csv", "trials.md"]


def test_a_panel_for_each_option_with_rungs_failures_and_the_best_told_apart(tmp_path, drawn):
    tuning_plot(tmp_path / "a.png", rows(), [RATE])
    rate, margin = drawn[0].axes
    assert (rate.get_xscale(), margin.get_xscale()) == ("log", "linear")
    lines = {line.get_label(): line for line in rate.get_lines()}
    assert list(lines) == ["epochs: 2", "epochs: 6", "failed", "best: trial 2"]
    np.testing.assert_array_equal(lines["epochs: 2"].get_xydata(), [[1e-3, 25], [1e-2, 50]])
    np.testing.assert_array_equal(lines["epochs: 6"].get_xydata(), [[2e-2, 50]])
    np.testing.assert_array_equal(lines["best: trial 2"].get_xydata(), [[1e-2, 50]])
    assert lines["failed"].get_xdata() == [1e-1]
    assert lines["epochs: 2"].get_marker() != lines["epochs: 6"].get_marker()
    assert [label.get_text() for label in margin.get_xticklabels()] == ["soft", "0.3"]
    assert drawn[0].get_suptitle() == "3 of 5 trials finished, 1 failed, 1 interrupted"


def test_logarithmic_axes_are_labelled_in_plain_numbers_that_fit(tmp_path, drawn):
    for low, high, expected in ((0.1, 2.0, {"0.1", "0.2", "0.5", "1", "2"}), (1e-5, 1e-1, {"1e-05", "0.001", "0.1"})):
        tuning_plot(tmp_path / "a.png", [TrialRow(1, {"a": low}, 1, 0.1), TrialRow(2, {"a": high}, 1, 0.2)], ["a"])
        (axes,) = drawn[-1].axes
        assert expected <= {label.get_text() for label in axes.get_xticklabels()}
        assert len(axes.get_xticklabels()) < 12
    tuning_plot(tmp_path / "a.png", [TrialRow(1, {"a": 0.30}, 1, 0.1), TrialRow(2, {"a": 0.42}, 1, 0.2)], ["a"])
    low, high = drawn[-1].axes[0].get_xlim()
    assert sum(low <= tick <= high for tick in drawn[-1].axes[0].get_xticks()) >= 2


def test_refuses_what_makes_no_table_or_plot(tmp_path):
    with pytest.raises(InputError, match=r"needs at least one trial. Received: \[\]"):
        tuning_table([])
    for name, row in (("a.pdf", rows()[0]), ("a.png", rows()[3])):
        with pytest.raises(InputError, match=rf"{name}', \d of 1 trials finished"):
            tuning_plot(tmp_path / name, [row])
    assert not list(tmp_path.iterdir())
