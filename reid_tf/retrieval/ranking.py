"""The nearest gallery images of each query."""

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.distances import distance_blocks
from reid_tf.retrieval.embeddings import Embeddings, check_sides
from reid_tf.retrieval.threads import row_threads


def rank(query: Embeddings, gallery: Embeddings, k: int, distance: str = "cosine") -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest gallery images of every query, nearest first.

    Equal distances rank in gallery order. No protocol is applied: identities and
    cameras are not looked at.

    Args:
        query: `Embeddings`, Q of them.
        gallery: `Embeddings`, G of them.
        k: int in 1 .. G.
        distance: "cosine", "euclidean" or "mean_squared".

    Returns:
        (indices int64 [Q, k] into the gallery, distances float32 [Q, k]).

    Raises:
        InputError: k is outside 1 .. G, the distance is unknown, a side is empty, or the
            dimensions or encoders differ.
    """
    k = whole_number("k", k)
    if k > len(gallery):
        raise InputError(f"k must be at most {len(gallery)}, the images of the gallery. Received: k={k}.")
    check_sides(query, gallery)
    indices = np.empty((len(query), k), np.int64)
    distances = np.empty((len(query), k), np.float32)
    with row_threads() as over_rows:
        for rows, block in distance_blocks(query.vectors, gallery.vectors, distance):

            def choose(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                for row in range(piece.start, piece.stop):
                    indices[first + row] = _nearest(block[row], k)
                    distances[first + row] = block[row, indices[first + row]]

            over_rows(choose, len(block))
    return indices, distances


def _nearest(distances: np.ndarray, k: int) -> np.ndarray:
    # argpartition would keep any of the images that tie at the k-th place; this keeps the first in gallery order.
    farthest = np.partition(distances, k - 1)[k - 1]
    candidates = np.flatnonzero(distances <= farthest)
    return candidates[np.argsort(distances[candidates], kind="stable")[:k]]
