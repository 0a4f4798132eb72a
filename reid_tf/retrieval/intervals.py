"""How far figures can be trusted: intervals by bootstrap over people, and a paired test of two encoders.

The queries of one person are alike, so what is drawn anew are people, each with all
their queries.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.metrics import RetrievalMetrics

LEAST_PEOPLE = 10  # of fewer, a draw with replacement says little


class Interval(NamedTuple):
    """Between which figures the figure of all such people lies, with a stated confidence; fractions."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """What the queries of the same people say of two encoders, by the mean average precision of each person.

    Args:
        difference: float. Mean over the people of the second's average precision minus
            the first's.
        interval: `Interval` of the difference.
        better: float in [0, 1]. Share of the people whom the second ranks better.
        worse: float in [0, 1]. Share whom it ranks worse; the rest are equal.
        p_value: float in (0, 1]. How often so large a difference, to either side,
            comes about where each person's two figures are swapped at random.
    """

    difference: float
    interval: Interval
    better: float
    worse: float
    p_value: float


def rank_intervals(
    metrics: RetrievalMetrics,
    identities: np.ndarray,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Gives rank-1 and mAP a confidence interval, by drawing people with replacement.

    Args:
        metrics: `RetrievalMetrics`.
        identities: int [Q]. Of the queries that they were measured on.
        confidence: float in (0, 1).
        resamples: int >= 1.
        seed: int >= 0. Of the draws.

    Returns:
        dict of `Interval` under the keys of `RetrievalMetrics.to_dict()`, "rank1" and
        "mAP".

    Raises:
        InputError: there are fewer than 10 people with a valid query, the confidence is
            outside (0, 1), or the identities are those of other queries.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap (the percentile method).
    """
    _check(confidence, resamples)
    valid = metrics.first_match_ranks > 0
    drawn = metrics.first_match_ranks[:, np.newaxis] if metrics.drawn_ranks is None else metrics.drawn_ranks
    found = {"rank1": np.mean(drawn == 1, axis=1), "mAP": metrics.average_precisions}
    people = _people(identities, valid)
    queries = np.bincount(people).astype(float)
    return {
        name: _bootstrap((np.bincount(people, values[valid]), queries), _mean_of_queries, confidence, resamples, seed)
        for name, values in found.items()
    }


def paired_test(
    first: RetrievalMetrics,
    second: RetrievalMetrics,
    identities: np.ndarray,
    confidence: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> PairedTest:
    """Compares two encoders person by person, on the same queries and gallery.

    Args:
        first: `RetrievalMetrics`.
        second: `RetrievalMetrics`.
        identities: int [Q]. Of the queries that both were measured on.
        confidence: float in (0, 1). Of the interval.
        resamples: int >= 1. Draws of people, and random swaps.
        seed: int >= 0.

    Returns:
        `PairedTest`.

    Raises:
        InputError: the two count other queries, or as `rank_intervals()`.

    References:
        Smucker, Allan and Carterette, A Comparison of Statistical Significance Tests
        for Information Retrieval Evaluation, CIKM 2007 (the randomisation test).
    """
    from scipy import stats

    _check(confidence, resamples)
    valid = first.first_match_ranks > 0
    if not np.array_equal(valid, second.first_match_ranks > 0):
        raise InputError(
            f"Two encoders are compared on the same queries, by the same protocol. Received: {first.num_valid_queries} "
            f"and {second.num_valid_queries} valid queries of {len(valid)} and {len(second.first_match_ranks)}."
        )
    people = _people(identities, valid)
    sums = np.bincount(people, (second.average_precisions - first.average_precisions)[valid])
    differences = sums / np.bincount(people)
    # Rounding must not make a person whom both rank alike better or worse.
    differences[np.abs(differences) < 1e-12] = 0
    swapped = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=resamples, vectorized=True, rng=seed
    )
    return PairedTest(
        float(np.mean(differences)),
        _bootstrap((differences,), np.mean, confidence, resamples, seed),
        float(np.mean(differences > 0)),
        float(np.mean(differences < 0)),
        float(swapped.pvalue),
    )


def count_people(metrics: RetrievalMetrics, identities: np.ndarray) -> int:
    """Returns how many people have a valid query; intervals and tests need `LEAST_PEOPLE` of them."""
    return len(np.unique(identities[metrics.first_match_ranks > 0]))


def _check(confidence: float, resamples: int) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"The confidence must be between 0 and 1, both excluded. Received: {confidence}.")
    whole_number("resamples", resamples)


def _people(identities: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The valid queries' people, counted from 0."""
    if len(identities) != len(valid):
        raise InputError(
            f"The identities must be those of the queries. Received: {len(identities)} for {len(valid)} queries."
        )
    names, people = np.unique(identities[valid], return_inverse=True)
    if len(names) < LEAST_PEOPLE:
        raise InputError(f"A bootstrap over people needs at least {LEAST_PEOPLE} with a match. Received: {len(names)}.")
    return people


def _mean_of_queries(sums: np.ndarray, queries: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis=axis) / queries.sum(axis=axis)


def _bootstrap(
    of_people: tuple[np.ndarray, ...],
    statistic: Callable[..., np.ndarray],
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    from scipy import stats  # here, as small devices lack it

    drawn = stats.bootstrap(
        of_people,
        statistic,
        paired=True,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=resamples,
        method="percentile",
        rng=seed,
    )
    return Interval(float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))
