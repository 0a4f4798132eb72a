"""The table of a pose estimator's evaluation, as text."""

from collections.abc import Mapping
from typing import Any

from reid_tf.report.table import markdown_table


def landmark_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Writes shares of correct landmarks as a Markdown table, one row per landmark and one column per detector.

    Args:
        rows: mapping of a detector's name to its figures under the keys of
            `LandmarkMetrics.to_dict()`.

    Returns:
        str of several lines, without a line break at its end.
    """
    figures = list(rows.values())
    lines = [["PCK, %", *rows], ["all", *(_percent(one["PCK"]) for one in figures)]]
    for joint in figures[0]["PCK_by_joint"]:
        lines.append([joint.replace("_", " "), *(_percent(one["PCK_by_joint"][joint]) for one in figures)])
    lines.append(["images", *(str(one["images"]) for one in figures)])
    return markdown_table(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
