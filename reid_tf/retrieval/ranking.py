"""The nearest gallery images of each query."""

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.nearest import nearest
from reid_tf.retrieval.reranking import Reranking, blocks_between
from reid_tf.retrieval.threads import row_threads


def rank(
    query: Embeddings, gallery: Embeddings, k: int, distance: str = "cosine", reranking: Reranking | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest gallery images of every query, nearest first.

    Equal distances rank in gallery order. No protocol is applied: identities and
    cameras are not looked at.

    Args:
        query: `Embeddings`, Q of them.
        gallery: `Embeddings`, G of them.
        k: int in 1 .. G.
        distance: "cosine", "euclidean" or "mean_squared".
        reranking: `Reranking`, or None for the plain distance.

    Returns:
        (indices int64 [Q, k] into the gallery, distances float32 [Q, k]); re-ranked
        distances are between 0 and 1.

    Raises:
        InputError: k is outside 1 .. G, the distance is unknown, a side is empty, the
            dimensions or encoders differ, or as `reranked_blocks()`.
    """
    k = whole_number("k", k)
    if k > len(gallery):
        raise InputError(f"k must be at most {len(gallery)}, the images of the gallery. Received: k={k}.")
    indices = np.empty((len(query), k), np.int64)
    distances = np.empty((len(query), k), np.float32)
    with row_threads() as over_rows:
        for rows, block in blocks_between(query, gallery, distance, reranking):

            def choose(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                queries = slice(first + piece.start, first + piece.stop)
                indices[queries] = nearest(block[piece], k)
                distances[queries] = np.take_along_axis(block[piece], indices[queries], axis=1)

            over_rows(choose, len(block))
    return indices, distances


def rerank(
    query: Embeddings,
    gallery: Embeddings,
    k: int,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    *,
    distance: str = "cosine",
    shortlist: int | None = None,
    count_itself: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest gallery images of every query after re-ranking by k-reciprocal neighbours, nearest first.

    Args:
        query: `Embeddings`, Q of them.
        gallery: `Embeddings`, G of them.
        k: int in 1 .. G.
        k1: int in 1 .. G. This and the other options are those of `Reranking`.
        k2: int in 1 .. k1.
        weight: float in [0, 1].
        distance: "cosine", "euclidean" or "mean_squared". The last two are the same
            here: the formula takes the squared distance.
        shortlist: int >= k1, or None.
        count_itself: bool.

    Returns:
        (indices int64 [Q, k] into the gallery, distances float32 [Q, k] in [0, 1]).

    Raises:
        InputError: an option is outside its range, or as `rank()`.

    References:
        Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding,
        CVPR 2017.
    """
    return rank(query, gallery, k, distance, Reranking(k1, k2, weight, shortlist, count_itself))
