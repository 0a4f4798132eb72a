"""Receiver operating characteristic and detection error trade-off of verifications."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.retrieval.verification_metrics import VerificationMetrics

_POINTS = 1000  # a curve has as many points as there are pairs, far more than a picture has pixels
_LINES = ("-", "--", "-.", ":")
_DET_TICKS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99, 0.999)
_LAST_DET_RATE = 0.99


def roc_curve_picture(path: str | Path, metrics: Mapping[str, VerificationMetrics], rate: float) -> None:
    """Draws true accepts over false accepts, on a logarithmic axis, and marks the rate that was chosen.

    Where fewer than ten impostor pairs are accepted the background is grey: there the
    curve says little about other pairs.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        metrics: mapping from what is compared ("cosine distance") to its
            `VerificationMetrics`, of the same pairs; the threshold of the first is
            marked.
        rate: float in (0, 1). The chosen false-accept rate.

    Raises:
        InputError: the path does not end in .png, or there are no metrics.
    """
    figure, axes = _figure(path, metrics)
    smallest = _least(metrics)
    rates = np.geomspace(smallest, 1, _POINTS)
    for (name, result), line in zip(metrics.items(), itertools.cycle(_LINES), strict=False):
        label = f"{name}: equal error rate {100 * result.equal_error_rate:.1f} %, area {result.area_under_curve:.3f}"
        axes.plot(100 * rates, 100 * result.true_accepts(rates), line, label=label)
    axes.plot(100 * rates, 100 * rates, color="grey", linestyle=":", linewidth=1, label="guessing")
    first = next(iter(metrics.values()))
    _mark(axes, metrics, rate, 100 * rate, 100 * float(first.true_accepts(rate)))
    _shade(axes, 100 * smallest, 100 * min(1, first.smallest_rate))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda percent, _: f"{percent:g}")
    axes.set(xlim=(100 * smallest, 100), ylim=(0, 101))
    axes.set(xlabel="false accepts: pairs of two people, %", ylabel="true accepts: pairs of one person, %")
    _finish(figure, axes, path)


def det_curve_picture(path: str | Path, metrics: Mapping[str, VerificationMetrics], rate: float) -> None:
    """Draws false rejects over false accepts, both on the scale of normal deviates, and marks the chosen rate.

    On this scale the curve is a straight line where both kinds of distances are
    normally distributed.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name.
        metrics: mapping from what is compared to its `VerificationMetrics`, as in
            `roc_curve_picture()`.
        rate: float in (0, 1). The chosen false-accept rate.

    Raises:
        InputError: the path does not end in .png, or there are no metrics.

    References:
        Martin et al., The DET Curve in Assessment of Detection Task Performance,
        Eurospeech 1997.
    """
    figure, axes = _figure(path, metrics)
    deviates = np.linspace(norm.ppf(_least(metrics)), norm.ppf(_LAST_DET_RATE), _POINTS)
    for (name, result), line in zip(metrics.items(), itertools.cycle(_LINES), strict=False):
        label = f"{name}: equal error rate {100 * result.equal_error_rate:.1f} %"
        axes.plot(deviates, _reject_deviates(result, norm.cdf(deviates)), line, label=label)
    axes.plot(deviates, deviates, color="grey", linestyle=":", linewidth=1, label="equal errors")
    first = next(iter(metrics.values()))
    _mark(axes, metrics, rate, norm.ppf(rate), _reject_deviates(first, rate))
    _shade(axes, norm.ppf(_least(metrics)), norm.ppf(min(_LAST_DET_RATE, first.smallest_rate)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(norm.ppf(_DET_TICKS), [f"{100 * tick:g}" for tick in _DET_TICKS])
    bottom = norm.ppf(_fewest_rejects(first))
    axes.set(xlim=(deviates[0], deviates[-1]), ylim=(bottom, -bottom))
    axes.set(xlabel="false accepts: pairs of two people, %", ylabel="false rejects: pairs of one person, %")
    _finish(figure, axes, path)


def _reject_deviates(metrics: VerificationMetrics, rates: Any) -> np.ndarray:
    """The false-reject rates at false-accept rates, as normal deviates; none and all become half a pair."""
    fewest = _fewest_rejects(metrics)
    return np.asarray(norm.ppf(np.clip(1 - metrics.true_accepts(rates), fewest, 1 - fewest)))


def _fewest_rejects(metrics: VerificationMetrics) -> float:
    return 0.5 / metrics.genuine_pairs


def _figure(path: str | Path, metrics: Mapping[str, VerificationMetrics]) -> tuple[Figure, Axes]:
    if Path(path).suffix.lower() != ".png" or not metrics:
        raise InputError(
            f"Verification curves need a .png path and a comparison. Received: {str(path)!r}, {list(metrics)}."
        )
    figure = Figure(figsize=(7, 6), layout="constrained")  # no pyplot, as in curves.py
    return figure, figure.add_subplot()


def _least(metrics: Mapping[str, VerificationMetrics]) -> float:
    return min(1 / result.impostor_pairs for result in metrics.values())


def _mark(axes: Axes, metrics: Mapping[str, VerificationMetrics], rate: float, x: float, y: Any) -> None:
    name, first = next(iter(metrics.items()))
    label = f"{name} up to {first.threshold(rate):.4g}: {100 * rate:g} % false and "
    label += f"{100 * float(first.true_accepts(rate)):.1f} % true accepts"
    axes.plot([x], [y], "o", color="black", markersize=7, label=label, zorder=3, clip_on=False)


def _shade(axes: Axes, left: float, right: float) -> None:
    axes.axvspan(left, right, color="0.93", label="fewer than ten pairs accepted wrongly: not resolved", zorder=0)


def _finish(figure: Figure, axes: Axes, path: str | Path) -> None:
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")  # inside, it would hide a curve
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
