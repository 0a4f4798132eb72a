"""Cumulative matching characteristic, mean average precision by two rules, and mean inverse negative penalty."""

import numpy as np

from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.match_ranks import match_ranks
from reid_tf.retrieval.protocols import SINGLE_SHOT
from reid_tf.retrieval.retrieval_metrics import RetrievalMetrics, summarise, summarise_draws
from reid_tf.retrieval.single_shot import single_shot_ranks

JUNK_IDENTITY = -1


def evaluate(
    query: Embeddings,
    gallery: Embeddings,
    distance: str = "cosine",
    max_rank: int = 50,
    protocol: str = "market1501",
    draws: int = 100,
    seed: int = 0,
) -> RetrievalMetrics:
    """Ranks the gallery for every query and measures where the right images stand.

    Equal distances rank in gallery order. The query x gallery matrix is never held whole: beyond its inputs the
    evaluation takes one block of distances (`distances.BLOCK_BYTES` at most) and a few numbers for each pair of a query
    and a gallery image of its identity.

    Average precision is given by two rules. The step rule is the mean of the precision at each match. Market-1501's own
    code integrates the precision-recall curve by trapezoids: each of M matches adds 1 / M times the mean of the
    precision at its rank and at the rank before; before the first rank the precision is 1. It is never the higher one.

    Of CUHK03's classic protocol, which draws one image an identity from the gallery, every figure is the mean over the
    draws too, and the standard deviation of rank-k over the draws is given. Average precision is 1 / rank there.

    Args:
        query: `Embeddings`. Images to search with.
        gallery: `Embeddings`. Images searched in; identities without a query are distractors.
        distance: "cosine", "euclidean" or "mean_squared".
        max_rank: int. Length of the CMC; it may exceed the gallery.
        protocol: "market1501" (gallery images of the query's identity and camera are ignored), "single_camera" (only
            the query image itself is ignored) or "cuhk03_single_shot" (of every identity one image is drawn among those
            under another camera than the query's; the others do not count).
        draws: int >= 1. How many galleries "cuhk03_single_shot" draws; the others draw none. The mean over a hundred is
            off by about a tenth of the spread of one.
        seed: int >= 0. Of the draws.

    Returns:
        `RetrievalMetrics`.

    Raises:
        InputError: query or gallery is empty, holds the identity -1 or another number of dimensions, an option is
            unknown, or no query has a match.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015 (CMC, mAP; compute_AP of its code).
        Li et al., DeepReID: Deep Filter Pairing Neural Network for Person Re-identification, CVPR 2014 (single shot).
        Ye et al., Deep Learning for Person Re-identification: A Survey and Outlook, TPAMI 2021 (mINP).
    """
    if max_rank < 1:
        raise InputError(f"max_rank must be at least 1. Received: {max_rank!r}.")
    _refuse_junk("query", query)
    _refuse_junk("gallery", gallery)
    if protocol == SINGLE_SHOT:
        ranks = single_shot_ranks(query, gallery, distance, draws, seed)
        if not ranks.any():
            raise InputError(_no_match(query, gallery, protocol))
        return summarise_draws(ranks, max_rank)
    matches = match_ranks(query, gallery, distance, protocol)
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
