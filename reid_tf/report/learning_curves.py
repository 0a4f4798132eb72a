"""What a training logged, over its epochs: losses, learning rate, validation, accuracies."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reid_tf.errors import InputError
from reid_tf.files import written_beside

Curves = dict[str, tuple[np.ndarray, np.ndarray]]

# What a panel shows, by the ends of the names in the logs; what none of them shows is in history.csv.
_PANELS = {
    "loss": ("loss",),
    "learning rate": ("learning_rate",),
    "validation, %": ("mAP", "rank1", "PCK"),
    "accuracy, %": ("accuracy",),
}
_RANGE = 30  # of values on a panel, from which on its axis is logarithmic


def learning_curves(path: str | Path, history: Sequence[Mapping[str, float]]) -> None:
    """Draws losses per output, learning rate, validation figures and accuracies over the epochs.

    What was measured on the training batches is a line; what was measured on the
    validation images (`val_...`) has points, one per validation, and the colour of its
    counterpart. A panel about which nothing was logged is left out.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        history: sequence of mappings, one per epoch: "epoch" (counted from 1) and what
            was logged, by name.

    Raises:
        InputError: the path does not end in .png, or there is no epoch.
    """
    path = Path(path)
    if path.suffix.lower() != ".png" or not history:
        raise InputError(
            f"Learning curves need a .png path and at least one epoch. Received: {str(path)!r}, {len(history)} epochs."
        )
    panels = {title: curves for title, ends in _PANELS.items() if (curves := _curves(history, ends))}
    figure = Figure(figsize=(11, 3.6 * ((len(panels) + 1) // 2)), layout="constrained")  # no pyplot, as in curves.py
    for number, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot((len(panels) + 1) // 2, 2 if len(panels) > 1 else 1, number + 1)
        _draw(axes, title, curves)
        axes.set_xlim(0.5, max(logs["epoch"] for logs in history) + 0.5)
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=110)


def _curves(history: Sequence[Mapping[str, float]], ends: Sequence[str]) -> Curves:
    """The epochs and values of everything whose name has one of the ends (a protocol may follow: `val_mAP_...`)."""
    names = dict.fromkeys(name for logs in history for name in logs)
    curves = {}
    for name in names:
        bare = name.removeprefix("val_")
        if any(bare == end or bare.endswith(f"_{end}") or bare.startswith(f"{end}_") for end in ends):
            points = [(logs["epoch"], logs[name]) for logs in history if name in logs and np.isfinite(logs[name])]
            if points:
                epochs, values = zip(*points, strict=True)
                curves[name] = (np.array(epochs), np.array(values))
    return curves


def _draw(axes: Axes, title: str, curves: Curves) -> None:
    percent = 100.0 if title.endswith("%") else 1.0
    colours: dict[str, str] = {}
    for name, (epochs, values) in curves.items():
        bare = name.removeprefix("val_")
        colour = colours.setdefault(bare, f"C{len(colours) % 10}")
        style = "o--" if name.startswith("val_") else "-" if len(epochs) > 1 else "s"
        axes.plot(epochs, percent * values, style, color=colour, markersize=4, label=name.replace("_", " "))
    shown = np.concatenate([values for _, values in curves.values()])
    if not title.endswith("%") and shown.min() > 0 and shown.max() > _RANGE * shown.min():
        axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.16))  # beside no curve
