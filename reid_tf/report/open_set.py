"""An open-set evaluation as a table and a curve."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.report.table import markdown_table
from reid_tf.retrieval.open_set import RATES, OpenSetMetrics

_POINTS = 500


def open_set_table(metrics: OpenSetMetrics, threshold: float | None = None) -> str:
    """Writes detection and identification rates at false-alarm rates as a Markdown table, with the counts behind them.

    Args:
        metrics: `OpenSetMetrics`.
        threshold: float, or None. A calibrated one, judged in a row of its own.

    Returns:
        str of several lines, without a line break at its end.
    """
    unknown = len(metrics.unknown)
    lines = [
        [
            f"{metrics.known_queries:,} known and {unknown:,} unknown queries",
            "distance at most",
            "unknown taken for somebody",
            "known found, %",
        ]
    ]
    rows = {f"{100 * rate:g} % false alarms": metrics.threshold(rate) for rate in RATES if metrics.resolves(rate)}
    if threshold is not None:
        rows["calibrated threshold"] = threshold
    for name, limit in rows.items():
        alarms = metrics.false_alarms(limit)
        shown = f"{alarms:,} of {unknown:,} ({100 * alarms / unknown:.2f} %)"
        lines.append([name, f"{limit:.4g}", shown, f"{100 * metrics.detection_rate(limit):.2f}"])
    for rate in RATES:
        if not metrics.resolves(rate):
            lines.append([f"{100 * rate:g} % false alarms", "-", f"needs {round(1 / rate):,} unknown queries", "-"])
    return markdown_table(lines)


def open_set_curve(path: str | Path, metrics: Mapping[str, OpenSetMetrics], threshold: float | None = None) -> None:
    """Draws the detection and identification rate over the false-alarm rate, on a logarithmic axis.

    It begins where one unknown query is taken for somebody.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        metrics: mapping of an encoder's name to its `OpenSetMetrics`.
        threshold: float, or None. The first one's calibrated threshold, which is
            marked.

    Raises:
        InputError: the path does not end in .png, or there are no metrics.
    """
    if Path(path).suffix.lower() != ".png" or not metrics:
        raise InputError(
            f"An open-set curve needs a .png path and an encoder. Received: {str(path)!r}, {list(metrics)}."
        )
    figure = Figure(figsize=(7, 5), layout="constrained")  # no pyplot, as in curves.py
    axes = figure.add_subplot()
    least = min(0.5, *(1 / len(result.unknown) for result in metrics.values()))
    for name, result in metrics.items():
        rates = np.geomspace(1 / len(result.unknown), 1, _POINTS)
        found = [100 * result.detection_rate(result.threshold(rate)) for rate in rates]
        label = f"{name}: {result.known_queries:,} known, {len(result.unknown):,} unknown queries"
        axes.plot(100 * rates, found, label=label)
    first = next(iter(metrics.values()))
    if threshold is not None:
        alarms, found_there = first.false_alarms(threshold) / len(first.unknown), first.detection_rate(threshold)
        label = f"calibrated threshold {threshold:.4g}: {alarms:.2%} false alarms, {found_there:.1%} found"
        place = [100 * max(alarms, least)], [100 * found_there]
        axes.plot(*place, "o", color="black", label=label, zorder=3, clip_on=False)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda percent, _: f"{percent:g}")
    axes.set(xlim=(100 * least, 100), ylim=(0, 101))
    axes.set(xlabel="false alarms: unknown people taken for somebody, %", ylabel="known people found, %")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
