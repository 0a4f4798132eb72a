"""Curves over ranks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.retrieval.metrics import RetrievalMetrics

_LAST_RANK = 20
_MARKERS = "osD^vPX*"
_KNOWN_RANKS = {1: "rank1", 5: "rank5", 10: "rank10"}


def cmc_curve(path: str | Path, metrics: Mapping[str, RetrievalMetrics | Mapping[str, float]]) -> None:
    """Draws the CMC curves of several encoders into one picture.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        metrics: mapping of an encoder's name, in the order of the legend, to its
            `RetrievalMetrics`, whose ranks 1 to 20 are drawn as far as its CMC goes, in
            a band of its spread where there is one, or to figures under the keys of
            `RetrievalMetrics.to_dict()` (read from a file, or reported by a paper),
            whose ranks 1, 5 and 10 are drawn on a dashed line.

    Raises:
        InputError: the path does not end in .png, there is no encoder, or figures lack
            rank1, rank5, rank10 or mAP.
    """
    path = Path(path)
    if path.suffix.lower() != ".png" or not metrics:
        raise InputError(
            f"A CMC curve needs a .png path and at least one encoder. Received: {str(path)!r}, {list(metrics)}."
        )
    figure = Figure(figsize=(7, 5), layout="constrained")  # no pyplot: no display, no state between calls
    axes = figure.add_subplot()
    for number, (name, result) in enumerate(metrics.items()):
        ranks, shares, mean_average_precision = _points(name, result)
        (line,) = axes.plot(
            ranks,
            100 * shares,
            linestyle="-" if isinstance(result, RetrievalMetrics) else "--",
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            label=f"{name}: rank-1 {shares[0]:.1%}, mAP (step) {mean_average_precision:.1%}",
        )
        if isinstance(result, RetrievalMetrics) and result.cmc_spread is not None:
            spread = result.cmc_spread[: len(shares)]
            band = (100 * (shares - spread), 100 * (shares + spread))
            axes.fill_between(ranks, *band, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xlabel="rank", ylabel="queries with a match up to this rank, %")
    axes.set(xlim=(0.5, _LAST_RANK + 0.5), ylim=(0, 101), xticks=[1, 5, 10, 15, 20])
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")  # inside, it would hide the curve of a weak encoder
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _points(name: str, result: RetrievalMetrics | Mapping[str, float]) -> tuple[np.ndarray, np.ndarray, float]:
    if isinstance(result, RetrievalMetrics):
        shares = result.cmc[:_LAST_RANK]
        return np.arange(1, len(shares) + 1), shares, result.mean_average_precision
    missing = [key for key in (*_KNOWN_RANKS.values(), "mAP") if key not in result]
    if missing:
        raise InputError(f"The figures of {name!r} lack {', '.join(missing)}. Received: {', '.join(result)}.")
    return np.array([*_KNOWN_RANKS]), np.array([result[key] for key in _KNOWN_RANKS.values()]), result["mAP"]
