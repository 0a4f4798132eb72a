"""How well a distance tells one person from two, at every threshold."""

import dataclasses
import math
from functools import cached_property
from typing import Any

import numpy as np

from reid_tf.errors import InputError

RATES = (1e-2, 1e-3, 1e-4)
# A share is measured on at least this many accepted impostor pairs: fewer say little about the next thousand pairs.
_LEAST_ACCEPTED = 10


@dataclasses.dataclass(frozen=True, eq=False)
class VerificationMetrics:
    """The receiver operating characteristic of a distance, one point at each of T thresholds.

    A pair is accepted as one person where its distance is at most the threshold. The
    first threshold is minus infinity, at which nothing is accepted; the others are the
    distances that occur, in ascending order.

    Args:
        thresholds: float32 [T].
        false_accept_rates: float64 [T]. Share of the impostor pairs that is accepted.
        true_accept_rates: float64 [T]. Share of the genuine pairs that is accepted.
        genuine_pairs: int.
        impostor_pairs: int.
    """

    thresholds: np.ndarray
    false_accept_rates: np.ndarray
    true_accept_rates: np.ndarray
    genuine_pairs: int
    impostor_pairs: int

    @property
    def smallest_rate(self) -> float:
        """The smallest false-accept rate that the impostor pairs resolve."""
        return smallest_rate(self.impostor_pairs)

    def resolves(self, rate: float) -> bool:
        """Returns whether there are enough impostor pairs for a false-accept rate."""
        return rate >= self.smallest_rate

    def true_accepts(self, rates: Any) -> np.ndarray:
        """Returns the largest true-accept rates [...] whose false-accept rates are at most `rates` [...]."""
        return np.asarray(self.true_accept_rates[self._points(rates)])

    def threshold(self, rate: float) -> float:
        """Returns the threshold at a false-accept rate.

        It lies half-way between the largest distance that may be accepted and the next
        one that occurs, so that rounding elsewhere changes no answer. Where equal
        distances would exceed the rate, all of them are rejected.

        Args:
            rate: float in (0, 1).

        Returns:
            float that float32 holds; minus infinity where nothing can be accepted.
        """
        point = int(self._points(rate))
        below, above = self.thresholds[point], self.thresholds[point + 1]
        between = np.float32((float(below) + float(above)) / 2)
        return float(between if between < above else below)

    @cached_property
    def equal_error_rate(self) -> float:
        """The rate at which as many impostor pairs are accepted as genuine ones rejected, between points if need be."""
        rejects = 1 - self.true_accept_rates
        after = int(np.argmax(self.false_accept_rates >= rejects))
        # The errors' difference goes from below 0 to 0 or above between these points; the first point never has it.
        gap_before = rejects[after - 1] - self.false_accept_rates[after - 1]
        gap_after = self.false_accept_rates[after] - rejects[after]
        share = gap_before / (gap_before + gap_after)
        return float((1 - share) * self.false_accept_rates[after - 1] + share * self.false_accept_rates[after])

    @cached_property
    def area_under_curve(self) -> float:
        """The probability that a genuine pair is nearer than an impostor pair, equal distances counted as half."""
        return float(np.trapezoid(self.true_accept_rates, self.false_accept_rates))

    def to_dict(self) -> dict[str, Any]:
        """Returns equal error rate, area and the true-accept rates at `RATES`, None where the pairs are too few."""
        return {
            "equal_error_rate": self.equal_error_rate,
            "area_under_curve": self.area_under_curve,
            "true_accept_rates": {
                f"{rate:g}": float(self.true_accepts(rate)) if self.resolves(rate) else None for rate in RATES
            },
        }

    def _points(self, rates: Any) -> np.ndarray:
        return np.searchsorted(self.false_accept_rates, rates, side="right") - 1


def smallest_rate(impostor_pairs: int) -> float:
    """Returns the smallest false-accept rate that so many impostor pairs resolve: ten of them are accepted."""
    return _LEAST_ACCEPTED / impostor_pairs


def verification_metrics(genuine: np.ndarray, impostor: np.ndarray) -> VerificationMetrics:
    """Measures how well a distance separates genuine from impostor pairs.

    Holds some 30 bytes per pair.

    Args:
        genuine: float32 [G]. Distances of the pairs of one person.
        impostor: float32 [I]. Distances of the pairs of two.

    Returns:
        `VerificationMetrics`.

    Raises:
        InputError: there are none of one kind, or a distance is not a number.
    """
    sides = [np.sort(np.asarray(distances, np.float32)) for distances in (genuine, impostor)]
    if not all(len(side) and math.isfinite(side[-1]) for side in sides):
        shown = ", ".join(f"{len(side)} up to {side[-1:]}" for side in sides)
        raise InputError(
            f"Calibration needs at least one genuine and one impostor pair, at finite distances. Received: {shown}."
        )
    occurring = np.unique(np.concatenate(sides))
    true, false = (np.searchsorted(side, occurring, side="right") / len(side) for side in sides)
    return VerificationMetrics(
        thresholds=np.concatenate([np.array([-np.inf], np.float32), occurring]),
        false_accept_rates=np.concatenate([[0.0], false]),
        true_accept_rates=np.concatenate([[0.0], true]),
        genuine_pairs=len(sides[0]),
        impostor_pairs=len(sides[1]),
    )
