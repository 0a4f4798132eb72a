"""How far figures can be trusted, as text: their intervals, and what each pair of cameras gives."""

import csv
from collections.abc import Mapping
from pathlib import Path

from reid_tf.files import written_beside
from reid_tf.report.table import markdown_table
from reid_tf.retrieval.camera_pairs import CameraPair
from reid_tf.retrieval.intervals import Interval
from reid_tf.retrieval.metrics import RetrievalMetrics

MOST_CAMERAS = 8  # that a table has room for
COLUMNS = ("query_camera", "gallery_camera", "valid_queries", "rank1", "mAP")


def interval_table(rows: Mapping[str, Mapping[str, Interval]], people: int, confidence: float = 0.95) -> str:
    """Writes confidence intervals as a Markdown table, in percent.

    Args:
        rows: mapping of an encoder's name to what `rank_intervals()` gave.
        people: int. How many the intervals were drawn over.
        confidence: float.

    Returns:
        str of several lines, without a line break at its end.
    """
    lines = [[f"{100 * confidence:g} % interval over {people:,} people", "rank-1", "mAP (step)"]]
    for name, intervals in rows.items():
        lines.append([name, *(percent_interval(intervals[figure]) for figure in ("rank1", "mAP"))])
    return markdown_table(lines)


def percent_interval(interval: Interval) -> str:
    """Returns an interval of a share as "low to high", in percent with one digit."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def camera_table(pairs: Mapping[CameraPair, RetrievalMetrics]) -> str:
    """Writes rank-1 and mAP of every pair of cameras as a Markdown table, in percent.

    Args:
        pairs: mapping, as `evaluate_camera_pairs()` gave it.

    Returns:
        str of several lines, without a line break at its end; "-" where no query has a
        match.
    """
    columns = sorted({other for _, other in pairs})
    lines = [["rank-1 / mAP, % of", *(f"in camera {camera}" for camera in columns)]]
    for camera in sorted({one for one, _ in pairs}):
        cells = [
            f"{100 * metrics.rank(1):.1f} / {100 * metrics.mean_average_precision:.1f}" if metrics else "-"
            for metrics in (pairs.get((camera, other)) for other in columns)
        ]
        lines.append([f"queries of camera {camera}", *cells])
    return markdown_table(lines)


def write_camera_csv(path: str | Path, pairs: Mapping[CameraPair, RetrievalMetrics]) -> None:
    """Writes one line per pair of cameras of which a query has a match; figures are fractions.

    Args:
        path: str or Path. The file; it is complete or absent at this name.
        pairs: mapping, as `evaluate_camera_pairs()` gave it.
    """
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (one, other), metrics in pairs.items():
            figures = (f"{value:.6f}" for value in (metrics.rank(1), metrics.mean_average_precision))
            writer.writerow((one, other, metrics.num_valid_queries, *figures))
