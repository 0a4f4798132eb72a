"""At which ranks a query's matches stand: the part of the evaluation that has to be fast."""

import numpy as np

from reid_tf.retrieval.distances import distance_blocks
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.protocols import ignore_rule


def match_ranks(
    query: Embeddings, gallery: Embeddings, distance: str = "cosine", protocol: str = "market1501"
) -> list[np.ndarray]:
    """Finds the ranks of every query's matches, among the gallery images that the protocol counts.

    Equal distances (in float32) rank in gallery order. No row of distances is arg-sorted: its values are sorted, which
    is many times faster, and the few entries of the query's identity are looked up in them.

    Args:
        query: `Embeddings`, Q of them.
        gallery: `Embeddings`.
        distance: str. As in `distances.distance_blocks`.
        protocol: str. As in `protocols.ignore_rule`.

    Returns:
        list of Q int64 arrays, the ranks of the matches in ascending order, 1 for the nearest image; an empty array
        where the query has no match.

    Raises:
        InputError: the distance or the protocol is unknown, or the embeddings are not fit for them.
    """
    is_ignored = ignore_rule(query, gallery, protocol)
    # The gallery images of identity i are by_identity[begins:ends], in gallery order because the sort is stable.
    by_identity = np.argsort(gallery.identities, kind="stable")
    sorted_identities = gallery.identities[by_identity]
    begins = np.searchsorted(sorted_identities, query.identities, side="left")
    ends = np.searchsorted(sorted_identities, query.identities, side="right")

    ranks = []
    for rows, block in distance_blocks(query.vectors, gallery.vectors, distance):
        for index, distances in zip(range(rows.start, rows.stop), block, strict=True):
            same_identity = by_identity[begins[index] : ends[index]]
            ranks.append(_ranks(distances, same_identity, is_ignored(index, same_identity)))
    return ranks


def _ranks(distances: np.ndarray, same_identity: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Ranks of the entries of the query's identity that are not ignored.

    Args:
        distances: float32 [G]. One query's distances.
        same_identity: int [M]. Gallery indices of the query's identity, ascending.
        ignored: bool [M]. Which of them do not count.

    Returns:
        int64 [number of False in ignored], ascending.
    """
    if ignored.all():
        return np.array([], np.int64)
    order = np.argsort(distances[same_identity], kind="stable")
    entries = same_identity[order]
    values = distances[entries]
    ascending = np.sort(distances)
    nearer = np.searchsorted(ascending, values, side="left")
    equal = np.searchsorted(ascending, values, side="right") - nearer
    for place in np.flatnonzero(equal > 1):
        nearer[place] += np.count_nonzero(distances[: entries[place]] == values[place])
    ignored = ignored[order]
    return (nearer - np.cumsum(ignored) + 1)[~ignored]
