"""How well encoders rank against how fast they embed."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from reid_tf.errors import InputError
from reid_tf.files import written_beside

_COLOURS = {True: "#1f5a96", False: "#b0562b"}
_NEAR, _LEVEL = 1.17, 0.04  # times as fast, and difference of mAP, of two encoders whose names would touch
_KINDS = {True: "pre-trained on ImageNet", False: "from scratch"}


class Placed(NamedTuple):
    """Where an encoder stands.

    Args:
        images_per_second: float above 0. Embedding.
        mean_average_precision: float in 0..1.
        pretrained: bool. Whether its backbone began with published weights.
    """

    images_per_second: float
    mean_average_precision: float
    pretrained: bool


def frontier_picture(path: str | Path, placed: Mapping[str, Placed]) -> None:
    """Draws mAP over embedding speed, and a line through those that no faster one outranks.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        placed: mapping of an encoder's name to its `Placed`.

    Raises:
        InputError: the path does not end in .png, or there is no encoder.
    """
    path = Path(path)
    if path.suffix.lower() != ".png" or not placed:
        raise InputError(
            f"A picture of speeds needs a .png path and at least one encoder. Received: {str(path)!r}, {list(placed)}."
        )
    figure = Figure(figsize=(8, 5.5), layout="constrained")  # no pyplot, as in curves.py
    axes = figure.add_subplot()
    best = [placed[name] for name in frontier(placed)]
    axes.plot(
        [one.images_per_second for one in best],
        [100 * one.mean_average_precision for one in best],
        color="#9a9a9a",
        linewidth=1,
        zorder=1,
    )
    for kind, label in _KINDS.items():
        of_kind = [one for one in placed.values() if one.pretrained is kind]
        axes.scatter(
            [one.images_per_second for one in of_kind],
            [100 * one.mean_average_precision for one in of_kind],
            color=_COLOURS[kind],
            label=label,
            zorder=2,
        )
    for name, above in labels_above(placed).items():
        place = (placed[name].images_per_second, 100 * placed[name].mean_average_precision)
        offset = (5, 4) if above else (5, -11)
        axes.annotate(name, place, xytext=offset, textcoords="offset points", fontsize="small")
    axes.set(xscale="log", xlabel="embedding, images/s", ylabel="mAP, %")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
    axes.tick_params(axis="x", which="minor", labelsize="x-small")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", ncols=2)
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def labels_above(placed: Mapping[str, Placed]) -> dict[str, bool]:
    """Says of each encoder whether its name goes above its point; below, where a higher neighbour is in the way.

    Args:
        placed: mapping of an encoder's name to its `Placed`.
    """

    def is_under(one: Placed, other: Placed) -> bool:
        faster, slower = max(one[0], other[0]), min(one[0], other[0])
        higher = other.mean_average_precision - one.mean_average_precision
        return faster < _NEAR * slower and 0 < higher < _LEVEL

    return {name: not any(is_under(one, other) for other in placed.values()) for name, one in placed.items()}


def frontier(placed: Mapping[str, Placed]) -> list[str]:
    """Returns the encoders that none as fast ranks better than, the slowest first.

    Args:
        placed: mapping of an encoder's name to its `Placed`.
    """

    def fastest_first(name: str) -> tuple[float, float]:
        return -placed[name].images_per_second, -placed[name].mean_average_precision

    found: list[str] = []
    highest = -1.0
    for name in sorted(placed, key=fastest_first):
        if placed[name].mean_average_precision > highest:
            highest = placed[name].mean_average_precision
            found.append(name)
    return found[::-1]
