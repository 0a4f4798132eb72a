"""The tables and the plot of a sweep: figures over the values of one or more options, of one run or of several each."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.files import write_csv, written_beside
from reid_tf.report.option_values import axis_places, option_text, spans_decades
from reid_tf.report.sweep_rows import MeanRow, SweepRow, mean_rows
from reid_tf.report.table import markdown_table

_DRAWN = ("rank1", "mAP")
_MARKERS = "osD^vPX*"
Row = SweepRow | MeanRow


def write_sweep_report(folder: str | Path, rows: Sequence[SweepRow], source: str | None = None) -> None:
    """Writes `sweep.csv` (shares as fractions), `sweep.md` (percentages) and, once there is a share, `sweep.png`.

    Where runs are repetitions, each row is their mean, `..._spread` in `sweep.csv` its
    standard deviation, and `runs.csv` has every run.

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
    every = [_csv_row(row) for row in rows]
    if _is_repeated(rows):
        write_csv(folder / "runs.csv", every)
        every = [_csv_row_of_mean(row) for row in mean_rows(rows)]
    write_csv(folder / "sweep.csv", every)
    with written_beside(folder / "sweep.md") as beside:
        beside.write_text(text + "\n", encoding="utf-8")
    if _drawn(rows):  # a run on a test set without identities has no share
        sweep_plot(folder / "sweep.png", rows, source)


def sweep_table(rows: Sequence[SweepRow], source: str | None = None) -> str:
    """Writes a sweep as Markdown: how many runs are finished, a table, and why runs failed.

    The table has one row per run or, where runs are repetitions, one for all
    repetitions: each share is their mean, with its standard deviation after "±".

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
    repeated = _is_repeated(rows)
    shown: Sequence[Row] = mean_rows(rows) if repeated else rows
    measured, reported = _metrics(shown), list(rows[0].reported)
    header = [*rows[0].values, "state", *map(_label, measured)]
    # Of a reported mAP nobody says by which rule it was computed.
    header += [f"reported {metric if metric == 'mAP' else _label(metric)}" for metric in reported]
    lines = [[*header, "seconds", "runs" if repeated else "run"]]
    for row in shown:
        cells = [*map(option_text, row.values.values()), row.state]
        cells += [_measured(row, metric) for metric in measured]
        cells += [_figure(row.reported.get(metric)) for metric in reported]
        seconds = "-" if row.seconds is None else f"{row.seconds:.0f}"
        lines.append([*cells, seconds, row.run if isinstance(row, SweepRow) else f"{row.finished} of {row.runs}"])
    unit = "Shares in %." if not source else f"Shares in %; the columns called reported are those of {source}."
    if repeated:
        unit += " Each row is the mean over its runs, ± their standard deviation."
    failures = [f"- `{row.run}` failed: {row.error}" for row in rows if row.error]
    return "\n\n".join([f"{_progress(rows)}. {unit}", markdown_table(lines), *filter(None, ["\n".join(failures)])])


def sweep_plot(path: str | Path, rows: Sequence[SweepRow], source: str | None = None) -> None:
    """Draws rank-1, mAP and whatever else is reported, one panel each, over the values of the first varied option.

    Where there is neither rank-1 nor mAP, every share gets a panel. Of several options,
    each combination of the others' values is a line. Numbers are on an axis of numbers
    (a logarithmic one where they span two decades or more), other values side by side,
    as points without a line. Of repetitions the mean is drawn, with a bar of one
    standard deviation on either side. What others report is dashed and drawn for runs
    too that are not finished.

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
        _draw_panel(axes, metric, mean_rows(rows) if _is_repeated(rows) else rows, source)
    lines = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=min(3, len(lines)))
    figure.suptitle(_progress(rows), fontsize="medium")
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _draw_panel(axes: Axes, metric: str, rows: Sequence[Row], source: str | None) -> None:
    places, numeric = axis_places([_first(row) for row in rows])
    groups: dict[str, list[tuple[float, float, float]]] = {}
    for row, place in zip(rows, places, strict=True):
        # NaN leaves a gap in the line: it does not pass by a value that is not known.
        share, spread = row.figures.get(metric, math.nan), _spread(row, metric)
        groups.setdefault(_group(row), []).append((place, 100 * share, 100 * spread))
    ours = "measured" if isinstance(rows[0], SweepRow) else "measured: mean, and standard deviation as a bar"
    for number, (group, points) in enumerate(groups.items()):
        marker, style = _MARKERS[number % len(_MARKERS)], "-" if numeric else ""
        x, y, spreads = (np.array(column) for column in zip(*sorted(points), strict=True))
        (line,) = axes.plot(x, y, marker=marker, markersize=5, linestyle=style, label=group or ours)
        known = np.isfinite(spreads)
        axes.vlines(x[known], (y - spreads)[known], (y + spreads)[known], color=line.get_color(), alpha=0.6)
    if metric in rows[0].reported:
        others = sorted((place, 100 * row.reported[metric]) for row, place in zip(rows, places, strict=True))
        label, style = f"reported by {source}", "--" if numeric else ""
        axes.plot(*zip(*others, strict=True), color="0.4", marker="x", markersize=5, linestyle=style, label=label)
    if not numeric:
        axes.set_xticks(places, [option_text(_first(row)) for row in rows])
        axes.margins(x=0.2)
    elif spans_decades(places):
        axes.set_xscale("log")
    axes.set(xlabel=next(iter(rows[0].values), "all runs"), ylabel=f"{_label(metric)}, %")
    axes.grid(alpha=0.3)


def _is_repeated(rows: Sequence[SweepRow]) -> bool:
    return any(row.repetition for row in rows)


def _first(row: Row) -> Any:
    return next(iter(row.values.values()), "")  # nothing is varied where runs are only repeated


def _group(row: Row) -> str:
    return ", ".join(f"{option} {option_text(value)}" for option, value in [*row.values.items()][1:])


def _metrics(rows: Sequence[Row]) -> list[str]:
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
    values = {option: option_text(value) for option, value in {**row.values, **row.repetition}.items()}
    reported = {f"reported_{metric}": share for metric, share in row.reported.items()}
    ends = {"seconds": row.seconds, "run": row.run, "error": row.error}
    return {**values, "state": row.state, **row.figures, **reported, **ends}


def _csv_row_of_mean(row: MeanRow) -> dict[str, Any]:
    values = {option: option_text(value) for option, value in row.values.items()}
    figures: dict[str, float] = {}
    for metric, mean in row.figures.items():
        figures[metric] = mean
        if metric in row.spreads:
            figures[f"{metric}_spread"] = row.spreads[metric]
    reported = {f"reported_{metric}": share for metric, share in row.reported.items()}
    ends = {"seconds": row.seconds, "finished_runs": row.finished, "runs": row.runs}
    return {**values, "state": row.state, **figures, **reported, **ends}


def _spread(row: Row, metric: str) -> float:
    return row.spreads.get(metric, math.nan) if isinstance(row, MeanRow) else math.nan


def _measured(row: Row, metric: str) -> str:
    spread = _spread(row, metric)
    return _figure(row.figures.get(metric)) + ("" if math.isnan(spread) else f" ± {100 * spread:.2f}")


def _label(metric: str) -> str:
    names = {"mAP": "mAP (step)", "mAP_trapezoid": "mAP (trapezoid)"}
    return names.get(metric, re.sub(r"^rank(?=\d)", "rank-", metric).replace("_", " "))


def _figure(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{100 * value:.2f}" if isinstance(value, float) else str(value)
