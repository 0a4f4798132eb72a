"""The tables and the plot of a sweep: figures over the values of one or more options."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.files import write_csv, written_beside
from reid_tf.report.option_values import axis_places, option_text, spans_decades
from reid_tf.report.table import markdown_table

_DRAWN = ("rank1", "mAP")
_MARKERS = "osD^vPX*"


@dataclasses.dataclass(frozen=True)
class SweepRow:
    """What is known of one run of a sweep.

    Args:
        values: mapping from the path of each varied option to this run's value.
        run: str. The name of the run's folder.
        figures: mapping from metric to a share in [0, 1] (float) or a number of images
            (int); empty where the run is not finished.
        seconds: float or None. How long the run took.
        reported: mapping from metric to the share in [0, 1] that somebody else reports
            for these values.
        error: str. Why the run failed, or "".
    """

    values: Mapping[str, Any]
    run: str
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float | None = None
    reported: Mapping[str, float] = dataclasses.field(default_factory=dict)
    error: str = ""

    @property
    def state(self) -> str:
        """Returns "finished", "failed" or "not run yet"."""
        return "failed" if self.error else "finished" if self.figures else "not run yet"


def write_sweep_report(folder: str | Path, rows: Sequence[SweepRow], source: str | None = None) -> None:
    """Writes `sweep.csv` (shares as fractions), `sweep.md` (percentages) and, once a run is finished, `sweep.png`.

    Args:
        folder: str or Path. Made when missing; each file is complete or absent at its
            name.
        rows: sequence of `SweepRow`, one per run, including those that are not
            finished.
        source: str or None. Who reports the rows' reported figures, as a legend names
            it: "the paper, table 2".

    Raises:
        InputError: as `sweep_table()`.
    """
    folder = Path(folder)
    text = sweep_table(rows, source)
    write_csv(folder / "sweep.csv", [_csv_row(row) for row in rows])
    with written_beside(folder / "sweep.md") as beside:
        beside.write_text(text + "\n", encoding="utf-8")
    if any(row.figures for row in rows):
        sweep_plot(folder / "sweep.png", rows, source)


def sweep_table(rows: Sequence[SweepRow], source: str | None = None) -> str:
    """Writes a sweep as Markdown: how many runs are finished, a table with one row per run, and why runs failed.

    Args:
        rows: sequence of `SweepRow`, all of the same options.
        source: str or None. Who reports the rows' reported figures.

    Returns:
        str of several lines, without a line break at its end. Shares are written as
        percentages.

    Raises:
        InputError: there is no row.
    """
    if not rows:
        raise InputError(f"A sweep has at least one run. Received: {list(rows)!r}.")
    measured, reported = _metrics(rows), list(rows[0].reported)
    header = [*rows[0].values, "state", *map(_label, measured)]
    # Of a reported mAP nobody says by which rule it was computed.
    header += [*(f"reported {metric if metric == 'mAP' else _label(metric)}" for metric in reported), "seconds", "run"]
    lines = [header]
    for row in rows:
        cells = [*map(option_text, row.values.values()), row.state]
        cells += [_figure(row.figures.get(metric)) for metric in measured]
        cells += [_figure(row.reported.get(metric)) for metric in reported]
        lines.append([*cells, "-" if row.seconds is None else f"{row.seconds:.0f}", row.run])
    unit = "Shares in %." if not source else f"Shares in %; the columns called reported are those of {source}."
    failures = [f"- `{row.run}` failed: {row.error}" for row in rows if row.error]
    return "\n\n".join([f"{_progress(rows)}. {unit}", markdown_table(lines), *filter(None, ["\n".join(failures)])])


def sweep_plot(path: str | Path, rows: Sequence[SweepRow], source: str | None = None) -> None:
    """Draws rank-1, mAP and whatever else is reported, one panel each, over the values of the first varied option.

    Where there is neither rank-1 nor mAP, every share gets a panel. Of several options,
    each combination of the others' values is a line. Numbers are on an axis of numbers
    (a logarithmic one where they span two decades or more), other values side by side,
    as points without a line. What others report is dashed and drawn for runs too that
    are not finished.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        rows: sequence of `SweepRow`, at least one of them finished.
        source: str or None. Who reports the rows' reported figures.

    Raises:
        InputError: the path does not end in .png, or no run is finished.
    """
    path, metrics = Path(path), _drawn(rows)
    if path.suffix.lower() != ".png" or not metrics:
        raise InputError(
            f"The plot of a sweep needs a .png path and a finished run. Received: {str(path)!r}, {_progress(rows)}."
        )
    figure = Figure(figsize=(1 + 4.5 * len(metrics), 4.5), layout="constrained")  # no pyplot, as in curves.py
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _draw_panel(axes, metric, rows, source)
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=min(3, len(lines)))
    figure.suptitle(_progress(rows), fontsize="medium")
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _draw_panel(axes: Axes, metric: str, rows: Sequence[SweepRow], source: str | None) -> None:
    places, numeric = axis_places([_first(row) for row in rows])
    groups: dict[str, list[tuple[float, float]]] = {}
    for row, place in zip(rows, places, strict=True):
        # NaN leaves a gap in the line: it does not pass by a value that is not known.
        groups.setdefault(_group(row), []).append((place, 100 * row.figures.get(metric, math.nan)))
    for number, (group, points) in enumerate(groups.items()):
        marker, style = _MARKERS[number % len(_MARKERS)], "-" if numeric else ""
        columns = zip(*sorted(points), strict=True)
        axes.plot(*columns, marker=marker, markersize=5, linestyle=style, label=group or "measured")
    if metric in rows[0].reported:
        others = sorted((place, 100 * row.reported[metric]) for row, place in zip(rows, places, strict=True))
        label, style = f"reported by {source}", "--" if numeric else ""
        axes.plot(*zip(*others, strict=True), color="0.4", marker="x", markersize=5, linestyle=style, label=label)
    if not numeric:
        axes.set_xticks(places, [option_text(_first(row)) for row in rows])
        axes.margins(x=0.2)
    elif spans_decades(places):
        axes.set_xscale("log")
    axes.set(xlabel=next(iter(rows[0].values)), ylabel=f"{_label(metric)}, %")
    axes.grid(alpha=0.3)


def _first(row: SweepRow) -> Any:
    return next(iter(row.values.values()))


def _group(row: SweepRow) -> str:
    return ", ".join(f"{option} {option_text(value)}" for option, value in [*row.values.items()][1:])


def _metrics(rows: Sequence[SweepRow]) -> list[str]:
    return list(dict.fromkeys(metric for row in rows for metric in row.figures))


def _drawn(rows: Sequence[SweepRow]) -> list[str]:
    known = [metric for metric in _metrics(rows) if any(isinstance(row.figures.get(metric), float) for row in rows)]
    chosen = [metric for metric in known if metric in _DRAWN or metric in rows[0].reported]
    return chosen or known


def _progress(rows: Sequence[SweepRow]) -> str:
    count = {state: sum(row.state == state for row in rows) for state in ("finished", "failed")}
    failed = f", {count['failed']} failed" if count["failed"] else ""
    return f"{count['finished']} of {len(rows)} runs finished{failed}"


def _csv_row(row: SweepRow) -> dict[str, Any]:
    values = {option: option_text(value) for option, value in row.values.items()}
    reported = {f"reported_{metric}": share for metric, share in row.reported.items()}
    ends = {"seconds": row.seconds, "run": row.run, "error": row.error}
    return {**values, "state": row.state, **row.figures, **reported, **ends}


def _label(metric: str) -> str:
    names = {"mAP": "mAP (step)", "mAP_trapezoid": "mAP (trapezoid)"}
    return names.get(metric, re.sub(r"^rank(?=\d)", "rank-", metric).replace("_", " "))


def _figure(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{100 * value:.2f}" if isinstance(value, float) else str(value)
