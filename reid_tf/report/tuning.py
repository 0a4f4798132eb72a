"""The tables and the plot of a search for good option values."""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from reid_tf.errors import InputError
from reid_tf.files import write_csv, written_beside
from reid_tf.report.option_values import axis_places, option_text, spans_decades
from reid_tf.report.table import markdown_table

_COLUMNS = 3
_MARKERS = "osD^vPX"


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """What is known of one trial.

    Args:
        number: int. 1 for the first trial.
        values: mapping from searched option, or options that share their values, to
            this trial's value.
        epochs: int. How long the trial trains.
        score: float or None. The best validated mAP, a share in [0, 1]; None where the
            trial is not finished.
        best_epoch: int or None. The epoch that has it.
        seconds: float or None. How long the trial took.
        error: str. Why the trial failed, or "".
    """

    number: int
    values: Mapping[str, Any]
    epochs: int
    score: float | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    error: str = ""

    @property
    def state(self) -> str:
        """Returns "finished", "failed" or "interrupted"."""
        return "failed" if self.error else "interrupted" if self.score is None else "finished"


def best_first(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Returns trials by descending mAP, of equal ones the earlier first, then those that are not finished."""
    return sorted(rows, key=lambda row: (math.inf if row.score is None else -row.score, row.number))


def write_tuning_report(folder: str | Path, rows: Sequence[TrialRow], logarithmic: Collection[str] = ()) -> None:
    """Writes `trials.csv` (mAP as a fraction), `trials.md` and, once a trial is finished, `trials.png`.

    Args:
        folder: str or Path. Made when missing; each file is complete or absent at its
            name.
        rows: sequence of `TrialRow`, one per trial.
        logarithmic: options whose values are on a logarithmic axis.

    Raises:
        InputError: as `tuning_table()`.
    """
    folder = Path(folder)
    text = tuning_table(rows)
    write_csv(folder / "trials.csv", [_csv_row(row) for row in best_first(rows)])
    with written_beside(folder / "trials.md") as beside:
        beside.write_text(text + "\n", encoding="utf-8")
    if any(row.score is not None for row in rows):
        tuning_plot(folder / "trials.png", rows, logarithmic)


def tuning_table(rows: Sequence[TrialRow]) -> str:
    """Writes a search as Markdown: how many trials are finished, a table, the best first, and why trials failed.

    Args:
        rows: sequence of `TrialRow`, all of the same options.

    Returns:
        str of several lines, without a line break at its end.

    Raises:
        InputError: there is no row.
    """
    if not rows:
        raise InputError(f"A table of trials needs at least one trial. Received: {list(rows)!r}.")
    lines = [["trial", *rows[0].values, "state", "val mAP, %", "best epoch", "epochs", "seconds"]]
    for row in best_first(rows):
        figures = ["-" if row.score is None else f"{100 * row.score:.2f}", option_text(row.best_epoch or "-")]
        seconds = "-" if row.seconds is None else f"{row.seconds:.0f}"
        values = map(option_text, row.values.values())
        lines.append([str(row.number), *values, row.state, *figures, str(row.epochs), seconds])
    failures = [f"- trial {row.number} failed: {row.error}" for row in rows if row.error]
    return "\n\n".join([_progress(rows), markdown_table(lines), *filter(None, ["\n".join(failures)])])


def tuning_plot(path: str | Path, rows: Sequence[TrialRow], logarithmic: Collection[str] = ()) -> None:
    """Draws the validated mAP over the values of each option, one panel per option; the best trial has a star.

    Trials of different lengths have different markers. Where failed trials lay, a cross
    is at the bottom.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        rows: sequence of `TrialRow`, at least one of them finished.
        logarithmic: options whose values are on a logarithmic axis.

    Raises:
        InputError: the path does not end in .png, or no trial is finished.
    """
    path = Path(path)
    if path.suffix.lower() != ".png" or all(row.score is None for row in rows):
        raise InputError(
            f"The plot of a search needs a .png path and a finished trial. Received: {str(path)!r}, {_progress(rows)}"
        )
    options = list(rows[0].values)
    columns = min(_COLUMNS, len(options))
    height = math.ceil(len(options) / columns)
    figure = Figure(figsize=(1 + 4 * columns, 1 + 3.5 * height), layout="constrained")  # no pyplot, as in curves.py
    panels = list(figure.subplots(height, columns, squeeze=False, sharey=True).flat)
    for option, axes in zip(options, panels, strict=False):
        _draw_panel(axes, option, rows)
        if option in logarithmic:
            _make_logarithmic(axes, [row.values[option] for row in rows])
    for axes in panels[len(options) :]:
        axes.remove()
    for axes in panels[::columns]:
        axes.set_ylabel("validated mAP (step), %")
    lines = {line.get_label(): line for axes in panels[: len(options)] for line in axes.get_lines()}
    figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=len(lines))
    figure.suptitle(_progress(rows).rstrip("."), fontsize="medium")
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _draw_panel(axes: Axes, option: str, rows: Sequence[TrialRow]) -> None:
    values = [row.values[option] for row in rows]
    places, numeric = axis_places(values)
    placed = list(zip(rows, places, strict=True))
    lengths = sorted({row.epochs for row in rows})
    for number, epochs in enumerate(lengths):
        points = [(place, 100 * row.score) for row, place in placed if row.score is not None and row.epochs == epochs]
        label = f"epochs: {epochs}" if len(lengths) > 1 else "trial"
        marker = _MARKERS[number % len(_MARKERS)]
        axes.plot(*zip(*points, strict=True) if points else ([], []), marker, color=f"C{number}", label=label)
    failed = [place for row, place in placed if row.error]
    if failed:  # as high as the axis begins, whatever the figures are
        bottom = axes.get_xaxis_transform()
        axes.plot(failed, [0.03] * len(failed), "x", color="0.4", label="failed", transform=bottom)
    best = best_first(rows)[0]
    place = places[rows.index(best)]
    height, label = 100 * (best.score or 0.0), f"best: trial {best.number}"
    axes.plot([place], [height], "*", markersize=18, markerfacecolor="none", markeredgecolor="C3", label=label)
    if not numeric:
        ticks = dict(zip(places, map(option_text, values), strict=True))
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.margins(x=0.2)
    axes.set_xlabel(option.replace(", ", "\n"))
    axes.grid(alpha=0.3)


def _make_logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Changes the scale and labels some values in plain numbers: matplotlib's own powers of ten run into each other."""
    axes.set_xscale("log")
    decades = LogLocator(subs=(1.0,) if spans_decades(values) else (1.0, 2.0, 5.0))
    axes.xaxis.set_major_locator(decades if max(values) >= 5 * min(values) else MaxNLocator(4))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _progress(rows: Sequence[TrialRow]) -> str:
    count = {state: sum(row.state == state for row in rows) for state in ("failed", "interrupted")}
    others = "".join(f", {number} {state}" for state, number in count.items() if number)
    return f"{len(rows) - sum(count.values())} of {len(rows)} trials finished{others}."


def _csv_row(row: TrialRow) -> dict[str, Any]:
    values = {option: option_text(value) for option, value in row.values.items()}
    figures = {"val_mAP": row.score, "best_epoch": row.best_epoch, "epochs": row.epochs, "seconds": row.seconds}
    return {"trial": row.number, **values, "state": row.state, **figures, "error": row.error}
