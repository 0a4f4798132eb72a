"""Cumulative matching characteristic, mean average precision by two rules, and mean inverse negative penalty."""

import dataclasses

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.match_ranks import MatchRanks, match_ranks
from reid_tf.retrieval.protocols import SINGLE_SHOT
from reid_tf.retrieval.reranking import Reranking
from reid_tf.retrieval.single_shot import single_shot_ranks

JUNK_IDENTITY = -1
_REPORTED_RANKS = (1, 5, 10)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RetrievalMetrics:
    """The figures of one evaluation, as fractions in [0, 1]; means are over the valid queries.

    Where the protocol draws images from the gallery, figures are also means over the
    draws.

    Args:
        cmc: float64 [max_rank]. Share of queries with a match at this rank or before;
            cmc[0] is rank-1.
        mean_average_precision: float. Step rule: the mean of the precision at each
            match.
        mean_average_precision_trapezoid: float. The rule of Market-1501's own code, see
            `evaluate()`.
        mean_inverse_negative_penalty: float. Mean of a query's matches / the rank of
            its last match.
        average_precisions: float64 [Q]. Step rule; NaN where the query was skipped.
        first_match_ranks: int64 [Q], or float64 [Q] as a mean over draws. Rank of the
            nearest match, 1 for the best; 0 where the query was skipped.
        num_valid_queries: int. Queries with at least one match that the protocol
            counts.
        num_skipped_queries: int. Queries without one, which enter no figure.
        drawn_ranks: int64 [Q, draws], or None where nothing is drawn. Rank of the match
            in each draw; 0 where the query was skipped.
        cmc_spread: float64 [max_rank], or None likewise. Standard deviation of `cmc`
            over the draws.
    """

    cmc: np.ndarray
    mean_average_precision: float
    mean_average_precision_trapezoid: float
    mean_inverse_negative_penalty: float
    average_precisions: np.ndarray
    first_match_ranks: np.ndarray
    num_valid_queries: int
    num_skipped_queries: int
    drawn_ranks: np.ndarray | None = None
    cmc_spread: np.ndarray | None = None

    def __repr__(self) -> str:
        ranks = ", ".join(f"rank-{k} {100 * self.rank(k):.2f}" for k in _REPORTED_RANKS)
        return (
            f"{ranks}, mAP {100 * self.mean_average_precision:.2f}, "
            f"mINP {100 * self.mean_inverse_negative_penalty:.2f} % of {self.num_valid_queries:,} queries "
            f"({self.num_skipped_queries:,} skipped)"
        )

    def rank(self, k: int) -> float:
        """Returns rank-k, the share of valid queries with a match among the first k images."""
        return float(np.mean(self._found(k)) / self.num_valid_queries)

    def rank_spread(self, k: int) -> float:
        """Returns the standard deviation of rank-k over the draws, 0 where nothing is drawn."""
        return float(np.std(self._found(k)) / self.num_valid_queries)

    def to_dict(self) -> dict[str, float | int]:
        """Returns the figures under the keys of a run directory's metrics.json; `..._spread` where images are drawn."""
        spreads = {} if self.drawn_ranks is None else {f"rank{k}_spread": self.rank_spread(k) for k in _REPORTED_RANKS}
        return {
            **{f"rank{k}": self.rank(k) for k in _REPORTED_RANKS},
            "mAP": self.mean_average_precision,
            "mAP_trapezoid": self.mean_average_precision_trapezoid,
            "mINP": self.mean_inverse_negative_penalty,
            "valid_queries": self.num_valid_queries,
            "skipped_queries": self.num_skipped_queries,
            **spreads,
        }

    def _found(self, k: int) -> np.ndarray:
        """Queries with a match among the first k images, in each draw; in the only one where nothing is drawn."""
        # Numbers, not shares: their mean and spread are exact where all draws agree.
        ranks = self.first_match_ranks[:, np.newaxis] if self.drawn_ranks is None else self.drawn_ranks
        return np.count_nonzero((ranks >= 1) & (ranks <= k), axis=0)


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    distance: str = "cosine",
    max_rank: int = 50,
    protocol: str = "market1501",
    draws: int = 100,
    seed: int = 0,
    reranking: Reranking | None = None,
) -> RetrievalMetrics:
    """Ranks the gallery for every query and measures where the right images are.

    Equal distances rank in gallery order. The query x gallery matrix is never held
    whole: beyond its inputs the evaluation takes one block of distances (at most
    `distances.BLOCK_BYTES`) and a few numbers for each pair of a query and a gallery
    image of its identity.

    Average precision is given by two rules. The step rule is the mean of the precision
    at each match. Market-1501's own code integrates the precision-recall curve by
    trapezoids: each of M matches adds 1 / M times the mean of the precision at its rank
    and at the rank before; before the first rank the precision is 1. It is never the
    higher one.

    Of CUHK03's classic protocol, which draws one image per identity from the gallery,
    every figure is the mean over the draws too, and the standard deviation of rank-k
    over the draws is given. Average precision is 1 / rank there.

    Args:
        query: `Embeddings`. Images to search with.
        gallery: `Embeddings`. Images searched in; identities without a query are
            distractors.
        distance: "cosine", "euclidean" or "mean_squared".
        max_rank: int. Length of the CMC; it may exceed the gallery.
        protocol: "market1501" (gallery images of the query's identity and camera are
            ignored), "single_camera" (only the query image itself is ignored) or
            "cuhk03_single_shot" (of every identity one image is drawn among those under
            another camera than the query's; the others do not count).
        draws: int >= 1. How many galleries "cuhk03_single_shot" draws; the others draw
            none. The mean over a hundred is off by about a tenth of the spread of one.
        seed: int >= 0. Of the draws.
        reranking: `Reranking` of the distances before anything is measured, or None.

    Returns:
        `RetrievalMetrics`.

    Raises:
        InputError: query or gallery is empty, holds the identity -1 or another number
            of dimensions, they are of different encoders, an option is unknown, or no
            query has a match.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015 (CMC,
        mAP; compute_AP of its code). Li et al., DeepReID: Deep Filter Pairing Neural
        Network for Person Re-identification, CVPR 2014 (single shot). Ye et al., Deep
        Learning for Person Re-identification: A Survey and Outlook, TPAMI 2021 (mINP).
    """
    max_rank = whole_number("max_rank", max_rank)
    _refuse_junk("query", query)
    _refuse_junk("gallery", gallery)
    if protocol == SINGLE_SHOT:
        ranks = single_shot_ranks(query, gallery, distance, draws, seed, reranking)
        if not ranks.any():
            raise InputError(_no_match(query, gallery, protocol))
        return summarise_draws(ranks, max_rank)
    matches = match_ranks(query, gallery, distance, protocol, reranking)
    if not len(matches.ranks):
        raise InputError(_no_match(query, gallery, protocol))
    return summarise(matches, len(query), max_rank)


def _refuse_junk(name: str, embeddings: Embeddings) -> None:
    junk = int(np.count_nonzero(embeddings.identities == JUNK_IDENTITY))
    if junk:
        raise InputError(
            f"The identity {JUNK_IDENTITY} marks junk and images of unknown persons, which an evaluation cannot judge; "
            f"drop these rows first. Received: {junk} of {len(embeddings)} {name} rows."
        )


def _no_match(query: Embeddings, gallery: Embeddings, protocol: str) -> str:
    if not np.isin(query.identities, gallery.identities).any():
        return (
            f"No identity of the query images is in the gallery. Received: {len(query)} queries of identities "
            f"{_some(query.identities)}, {len(gallery)} gallery images of identities {_some(gallery.identities)}."
        )
    advice = "; for images of a single camera use the protocol 'single_camera'" if protocol != "single_camera" else ""
    cameras = np.concatenate([query.cameras, gallery.cameras])
    return (
        f"No query has a match that the protocol {protocol!r} counts{advice}. Received: {len(query)} queries and "
        f"{len(gallery)} gallery images, cameras {_some(cameras)}."
    )


def _some(values: np.ndarray) -> str:
    distinct = np.unique(values)
    return ", ".join(map(str, distinct[:5].tolist())) + (", ..." if len(distinct) > 5 else "")


def summarise(matches: MatchRanks, num_queries: int, max_rank: int) -> RetrievalMetrics:
    """Measures where the right images are.

    Args:
        matches: `MatchRanks`, at least one.
        num_queries: int. All queries, those without a match too.
        max_rank: int. Length of the CMC.

    Returns:
        `RetrievalMetrics`.
    """
    queries, ranks = matches.queries, matches.ranks
    counts = np.bincount(queries, minlength=num_queries)
    valid = counts > 0
    ends = np.cumsum(counts)  # the matches of query q are [ends[q] - counts[q], ends[q]), by ascending rank
    begins = ends - counts
    found = np.arange(len(ranks)) - begins[queries] + 1  # how many matches there are up to this one
    precision = found / ranks
    precision_before = np.where(ranks == 1, 1, (found - 1) / np.maximum(ranks - 1, 1))

    def mean_of_each(values: np.ndarray) -> np.ndarray:
        return np.bincount(queries, values, minlength=num_queries)[valid] / counts[valid]

    average_precisions = np.full(num_queries, np.nan)
    average_precisions[valid] = mean_of_each(precision)
    first_ranks = np.zeros(num_queries, np.int64)
    first_ranks[valid] = ranks[begins[valid]]
    return RetrievalMetrics(
        cmc=_found_within(first_ranks[valid], max_rank) / np.count_nonzero(valid),
        mean_average_precision=float(np.mean(average_precisions[valid])),
        mean_average_precision_trapezoid=float(np.mean(mean_of_each((precision_before + precision) / 2))),
        mean_inverse_negative_penalty=float(np.mean(counts[valid] / ranks[ends[valid] - 1])),
        average_precisions=average_precisions,
        first_match_ranks=first_ranks,
        num_valid_queries=int(np.count_nonzero(valid)),
        num_skipped_queries=int(np.count_nonzero(~valid)),
    )


def summarise_draws(ranks: np.ndarray, max_rank: int) -> RetrievalMetrics:
    """Measures where the one right image of each draw is, and averages over the draws.

    Args:
        ranks: int64 [Q, draws]. As `RetrievalMetrics.drawn_ranks`; at least one query
            is valid.
        max_rank: int. Length of the CMC.

    Returns:
        `RetrievalMetrics`.
    """
    valid = ranks[:, 0] > 0
    of_valid = ranks[valid]
    found = np.array([_found_within(of_draw, max_rank) for of_draw in of_valid.T])
    # With one match the precision at it is 1 / rank, and so is the penalty; the precision at the rank before is 0.
    reciprocal = 1 / of_valid
    average_precisions = np.full(len(ranks), np.nan)
    average_precisions[valid] = reciprocal.mean(axis=1)
    return RetrievalMetrics(
        cmc=found.mean(axis=0) / len(of_valid),
        mean_average_precision=float(np.mean(reciprocal)),
        mean_average_precision_trapezoid=float(np.mean(np.where(of_valid == 1, 1, reciprocal / 2))),
        mean_inverse_negative_penalty=float(np.mean(reciprocal)),
        average_precisions=average_precisions,
        first_match_ranks=ranks.mean(axis=1),
        num_valid_queries=len(of_valid),
        num_skipped_queries=len(ranks) - len(of_valid),
        drawn_ranks=ranks,
        cmc_spread=found.std(axis=0) / len(of_valid),
    )


def _found_within(first_ranks: np.ndarray, max_rank: int) -> np.ndarray:
    """Returns how many queries have a match within rank 1, 2, ... max_rank."""
    return np.cumsum(np.bincount(first_ranks, minlength=max_rank + 1)[1 : max_rank + 1])
