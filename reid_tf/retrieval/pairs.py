"""Which gallery images show a query's identity."""

import dataclasses

import numpy as np

from reid_tf.retrieval.embeddings import Embeddings


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """The P pairs of a query and a gallery image of its identity, ordered by query and then by gallery index.

    Args:
        queries: int64 [P]. Index of each pair's query.
        entries: int64 [P]. Index of each pair's gallery image.
        begins: int64 [Q + 1]. The pairs of query q are `begins[q]:begins[q + 1]`.
    """

    queries: np.ndarray
    entries: np.ndarray
    begins: np.ndarray


def same_identity_pairs(query: Embeddings, gallery: Embeddings) -> Pairs:
    """Pairs every query with the gallery images of its identity.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.

    Returns:
        `Pairs`.
    """
    by_identity = np.argsort(gallery.identities, kind="stable")  # stable: gallery order within an identity
    ascending = gallery.identities[by_identity]
    first = np.searchsorted(ascending, query.identities, side="left")
    counts = np.searchsorted(ascending, query.identities, side="right") - first
    begins = np.concatenate([[0], np.cumsum(counts)])
    within = np.arange(begins[-1]) - np.repeat(begins[:-1], counts)
    return Pairs(np.repeat(np.arange(len(query)), counts), by_identity[np.repeat(first, counts) + within], begins)
