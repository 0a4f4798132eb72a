"""A bar chart of an attribute evaluation."""

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.retrieval.attribute_metrics import AttributeMetrics
from reid_tf.retrieval.attribute_score import AttributeScore

# What is drawn, from the top of an attribute's row to its bottom: figure, height of the bar, colour.
_BARS = (("balanced_accuracy", 0.4, "#1f5a96"), ("accuracy", 0.2, "#8fbbe0"), ("positive_share", 0.2, "#c9c9c9"))
_CHANCE = 50


def attribute_chart(path: str | Path, metrics: AttributeMetrics) -> None:
    """Draws balanced accuracy, plain accuracy and positive share of every binary attribute, the best one on top.

    Attributes whose labels hold one class only have no balanced accuracy and come at
    the bottom; those without any label are left out. A dashed line marks the balanced
    accuracy of guessing.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        metrics: `AttributeMetrics`.

    Raises:
        InputError: the path does not end in .png, or no attribute is labelled.
    """
    path = Path(path)
    scores = _sorted(metrics)
    if path.suffix.lower() != ".png" or not scores:
        raise InputError(
            "An attribute chart needs a .png path and at least one labelled attribute. Received: "
            f"{str(path)!r}, {len(scores)} labelled attributes."
        )
    figure = Figure(figsize=(8, 1.5 + 0.32 * len(scores)), layout="constrained")  # no pyplot, as in curves.py
    axes = figure.add_subplot()
    rows = np.arange(len(scores))
    top = rows - sum(height for _, height, _ in _BARS) / 2
    for name, height, colour in _BARS:
        values = [100 * getattr(score, name) for score in scores]
        axes.barh(top + height / 2, np.nan_to_num(values), height, color=colour, label=name.replace("_", " "))
        top = top + height
    axes.axvline(_CHANCE, color="black", linestyle="--", linewidth=1, label="balanced accuracy of guessing")
    axes.set(xlim=(0, 100), ylim=(len(scores) - 0.4, -0.6), xlabel="%", xticks=range(0, 101, 10))
    axes.set_yticks(rows, [_label(score) for score in scores])
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    means = (f"{name.replace('_', ' ')} {metrics.mean(name):.1%}" for name, _, _ in _BARS)
    axes.set_title(f"means: {', '.join(means)}", fontsize="medium")
    figure.legend(loc="outside lower center", ncols=2)
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _sorted(metrics: AttributeMetrics) -> list[AttributeScore]:
    labelled = [score for score in metrics.attributes if score.images]
    return sorted(labelled, key=lambda score: -score.balanced_accuracy if score.is_judged else math.inf)


def _label(score: AttributeScore) -> str:
    return score.name if score.is_judged else f"{score.name} (one class only)"
