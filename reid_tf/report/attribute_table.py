"""Tables of an attribute evaluation: every attribute as a CSV file, the means as text."""

import csv
import math
from pathlib import Path

from reid_tf.files import written_beside
from reid_tf.report.table import markdown_table
from reid_tf.retrieval.attribute_metrics import AttributeMetrics
from reid_tf.retrieval.attribute_score import FIGURES

COLUMNS = ("kind", "name", "images", *FIGURES)


def write_attribute_csv(path: str | Path, metrics: AttributeMetrics) -> None:
    """Writes one line per binary attribute and then one per group, in the schema's order.

    The columns are kind ("attribute" or "group"), name, images and the figures of
    `AttributeScore` as fractions; a figure that the labels do not allow is empty.

    Args:
        path: str or Path. The file; it is complete or absent at this name.
        metrics: `AttributeMetrics`.
    """
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for kind, scores in (("attribute", metrics.attributes), ("group", metrics.groups)):
            for score in scores:
                figures = (getattr(score, figure) for figure in FIGURES)
                cells = ("" if math.isnan(figure) else f"{figure:.6f}" for figure in figures)
                writer.writerow((kind, score.name, score.images, *cells))


def attribute_means_table(metrics: AttributeMetrics) -> str:
    """Writes the means over binary attributes and over groups as a Markdown table, in percent.

    Args:
        metrics: `AttributeMetrics`.

    Returns:
        str of several lines, without a line break at its end; "-" where there is no
        figure.
    """
    lines = [
        [f"% of {metrics.images:,} images", *(figure.replace("_", " ") for figure in FIGURES), "means over", "skipped"]
    ]
    lines[0][3] = "F1"
    for of, name in (("attributes", "binary attributes"), ("groups", "groups")):
        means = [metrics.mean(figure, of) for figure in FIGURES]
        cells = ["-" if math.isnan(mean) else f"{100 * mean:.2f}" for mean in means]
        skipped = metrics.skipped(of)
        lines.append([name, *cells, str(len(getattr(metrics, of)) - skipped), str(skipped)])
    return markdown_table(lines)
