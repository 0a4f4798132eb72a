"""Curves over ranks."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.retrieval.metrics import RetrievalMetrics

_LAST_RANK = 20
_MARKERS = "osD^vPX*"


def cmc_curve(path: str | Path, metrics: Mapping[str, RetrievalMetrics]) -> None:
    """Draws the CMC curves of several encoders into one picture.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this name.
        metrics: mapping of an encoder's name to its `RetrievalMetrics`, in the order of the legend. Ranks 1 to 20 are
            drawn, as far as a CMC goes.

    Raises:
        InputError: the path does not end in .png, or there is no encoder.
    """
    path = Path(path)
    if path.suffix.lower() != ".png" or not metrics:
        raise InputError(
            f"A CMC curve needs a .png path and at least one encoder. Received: {str(path)!r}, {list(metrics)}."
        )
    figure = Figure(figsize=(7, 5), layout="constrained")  # no pyplot: no display, no state between calls
    axes = figure.add_subplot()
    for number, (name, result) in enumerate(metrics.items()):
        cmc = result.cmc[:_LAST_RANK] * 100
        label = f"{name}: rank-1 {result.rank(1):.1%}, mAP (step) {result.mean_average_precision:.1%}"
        axes.plot(range(1, len(cmc) + 1), cmc, marker=_MARKERS[number % len(_MARKERS)], markersize=4, label=label)
    axes.set(xlabel="rank", ylabel="queries with a match up to this rank, %")
    axes.set(xlim=(0.5, _LAST_RANK + 0.5), ylim=(0, 101), xticks=[1, 5, 10, 15, 20])
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")  # inside, it would hide the curve of a weak encoder
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
