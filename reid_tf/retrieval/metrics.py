"""Cumulative matching characteristic, mean average precision by two rules, and mean inverse negative penalty."""

import dataclasses

import numpy as np

from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.match_ranks import match_ranks

JUNK_IDENTITY = -1


@dataclasses.dataclass(frozen=True, eq=False)
class RetrievalMetrics:
    """The figures of one evaluation, as fractions in [0, 1]; means are over the valid queries.

    Args:
        cmc: float64 [max_rank]. Share of queries with a match at this rank or before; cmc[0] is rank-1.
        mean_average_precision: float. Step rule: the mean of the precision at each match.
        mean_average_precision_trapezoid: float. Market-1501's own rule, see `average_precision_trapezoid`.
        mean_inverse_negative_penalty: float. See `inverse_negative_penalty`.
        average_precisions: float64 [Q]. Step rule; NaN where the query was skipped.
        first_match_ranks: int64 [Q]. Rank of the nearest match, 1 for the best; 0 where the query was skipped.
        num_valid_queries: int. Queries with at least one match that the protocol counts.
        num_skipped_queries: int. Queries without one, which enter no figure.
    """

    cmc: np.ndarray
    mean_average_precision: float
    mean_average_precision_trapezoid: float
    mean_inverse_negative_penalty: float
    average_precisions: np.ndarray
    first_match_ranks: np.ndarray
    num_valid_queries: int
    num_skipped_queries: int

    def rank(self, k: int) -> float:
        """Returns rank-k, the share of valid queries with a match among the first k images."""
        within = (self.first_match_ranks >= 1) & (self.first_match_ranks <= k)
        return float(np.count_nonzero(within) / self.num_valid_queries)

    def to_dict(self) -> dict[str, float | int]:
        """Returns the figures under the keys of a run directory's metrics.json."""
        return {
            "rank1": self.rank(1),
            "rank5": self.rank(5),
            "rank10": self.rank(10),
            "mAP": self.mean_average_precision,
            "mAP_trapezoid": self.mean_average_precision_trapezoid,
            "mINP": self.mean_inverse_negative_penalty,
            "valid_queries": self.num_valid_queries,
            "skipped_queries": self.num_skipped_queries,
        }


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    distance: str = "cosine",
    max_rank: int = 50,
    protocol: str = "market1501",
) -> RetrievalMetrics:
    """Ranks the gallery for every query and measures where the right images stand.

    Equal distances rank in gallery order. The query x gallery matrix is never held whole: beyond its inputs the
    evaluation takes one block of distances (see `distances.BLOCK_BYTES`).

    Args:
        query: `Embeddings`. Images to search with.
        gallery: `Embeddings`. Images searched in; identities without a query are distractors.
        distance: "cosine", "euclidean" or "mean_squared".
        max_rank: int. Length of the CMC; it may exceed the gallery.
        protocol: "market1501" (gallery images of the query's identity and camera are ignored) or "single_camera" (only
            the query image itself is ignored).

    Returns:
        `RetrievalMetrics`.

    Raises:
        InputError: query or gallery is empty, holds the identity -1 or another number of dimensions, an option is
            unknown, or no query has a match.
    """
    if max_rank < 1:
        raise InputError(f"max_rank must be at least 1. Received: {max_rank!r}.")
    _refuse_junk("query", query)
    _refuse_junk("gallery", gallery)
    ranks = match_ranks(query, gallery, distance, protocol)
    if not any(len(of_query) for of_query in ranks):
        raise InputError(_no_match(query, gallery, protocol))
    return _summarise(ranks, max_rank)


def average_precision(ranks: np.ndarray) -> float:
    """Average precision of one query by the step rule: the mean of the precision at each match.

    Args:
        ranks: int [M]. Ranks of the M matches, ascending, from 1.

    Returns:
        float in (0, 1].
    """
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def average_precision_trapezoid(ranks: np.ndarray) -> float:
    """Average precision of one query by the rule of Market-1501's own evaluation code.

    The precision-recall curve is integrated by trapezoids: each match adds 1 / M times the mean of the precision at its
    rank and at the rank before. Recall starts at 0 with precision 1.

    Args:
        ranks: int [M]. Ranks of the M matches, ascending, from 1.

    Returns:
        float in (0, 1]; at a match whose predecessors are wrong it is lower than the step rule's.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015 (compute_AP of its code).
    """
    found = np.arange(1, len(ranks) + 1)
    before = np.where(ranks == 1, 1, (found - 1) / np.maximum(ranks - 1, 1))
    return float(np.mean((before + found / ranks) / 2))


def inverse_negative_penalty(ranks: np.ndarray) -> float:
    """Share of matches among the images that must be looked through to find them all.

    Args:
        ranks: int [M]. Ranks of the M matches, ascending, from 1.

    Returns:
        float in (0, 1].

    References:
        Ye et al., Deep Learning for Person Re-identification: A Survey and Outlook, TPAMI 2021.
    """
    return float(len(ranks) / ranks[-1])


def _summarise(ranks: list[np.ndarray], max_rank: int) -> RetrievalMetrics:
    valid = [of_query for of_query in ranks if len(of_query)]
    first_ranks = np.array([of_query[0] if len(of_query) else 0 for of_query in ranks], np.int64)
    precisions = np.array([average_precision(of_query) if len(of_query) else np.nan for of_query in ranks])
    found_at = np.bincount(first_ranks[(first_ranks >= 1) & (first_ranks <= max_rank)] - 1, minlength=max_rank)
    return RetrievalMetrics(
        cmc=np.cumsum(found_at) / len(valid),
        mean_average_precision=float(np.nanmean(precisions)),
        mean_average_precision_trapezoid=float(np.mean([average_precision_trapezoid(r) for r in valid])),
        mean_inverse_negative_penalty=float(np.mean([inverse_negative_penalty(r) for r in valid])),
        average_precisions=precisions,
        first_match_ranks=first_ranks,
        num_valid_queries=len(valid),
        num_skipped_queries=len(ranks) - len(valid),
    )


def _refuse_junk(name: str, embeddings: Embeddings) -> None:
    junk = int(np.count_nonzero(embeddings.identities == JUNK_IDENTITY))
    if junk:
        raise InputError(
            f"The identity {JUNK_IDENTITY} marks junk and images of unknown persons, which an evaluation cannot judge; "
            f"drop these rows first. Received: {junk} of {len(embeddings)} {name} rows."
        )


def _no_match(query: Embeddings, gallery: Embeddings, protocol: str) -> str:
    if not np.isin(query.identities, gallery.identities).any():
        return f"None of the {len(query)} queries' identities is in the gallery of {len(gallery)} images."
    cameras = sorted({*query.cameras.tolist(), *gallery.cameras.tolist()})
    seen = f"camera {cameras[0]}" if len(cameras) == 1 else f"{len(cameras)} cameras"
    advice = "; for images of a single camera use the protocol 'single_camera'" if protocol == "market1501" else ""
    return (
        f"None of the {len(query)} queries has a match that the protocol {protocol!r} counts{advice}. Received: images "
        f"of {seen}."
    )
