"""The ranks of the right gallery images: the part of the evaluation that has to be fast."""

import dataclasses

import numpy as np

from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.pairs import Pairs, same_identity_pairs
from reid_tf.retrieval.protocols import ignored_pairs
from reid_tf.retrieval.reranking import Reranking, blocks_between
from reid_tf.retrieval.threads import row_threads


@dataclasses.dataclass(frozen=True, eq=False)
class MatchRanks:
    """The M matches of all queries, ordered by query and then by rank.

    Args:
        queries: int64 [M]. The query that each match belongs to.
        ranks: int64 [M]. Its rank for that query, 1 for the nearest image, among the
            gallery images that count.
    """

    queries: np.ndarray
    ranks: np.ndarray


def match_ranks(
    query: Embeddings,
    gallery: Embeddings,
    distance: str = "cosine",
    protocol: str = "market1501",
    reranking: Reranking | None = None,
) -> MatchRanks:
    """Finds the rank of every match, among the gallery images that the protocol counts.

    Equal distances (in float32) rank in gallery order. No row of distances is
    arg-sorted: its values are sorted, which is many times faster, and the few images of
    the query's identity are looked up in them.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        distance: str. As in `distances.distance_blocks`.
        protocol: str. As in `protocols.ignored_pairs`.
        reranking: `Reranking`, or None for the plain distance.

    Returns:
        `MatchRanks`.

    Raises:
        InputError: the distance or the protocol is unknown, or the embeddings are not
            fit for them.
    """
    blocks = blocks_between(query, gallery, distance, reranking)
    pairs = same_identity_pairs(query, gallery)
    ignored = ignored_pairs(query, gallery, pairs, protocol)
    distances = np.empty(len(pairs.queries), np.float32)
    nearer = np.empty(len(pairs.queries), np.int64)
    with row_threads() as over_rows:
        for rows, block in blocks:

            def look_up(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                for row in range(piece.start, piece.stop):
                    of_query = slice(*pairs.begins[first + row : first + row + 2])
                    if of_query.start < of_query.stop:
                        distances[of_query] = block[row, pairs.entries[of_query]]
                        nearer[of_query] = count_nearer(block[row], pairs.entries[of_query])

            over_rows(look_up, len(block))
    return _rank(pairs, distances, nearer, ignored)


def count_nearer(distances: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Counts, for some entries of a row, the entries before them: smaller ones, and equal ones of a smaller index.

    Args:
        distances: float32 [G].
        entries: int64 [M]. Indices into the row.

    Returns:
        int64 [M].
    """
    values = distances[entries]
    # What lies beyond the farthest of them is not sorted: of a good encoder's distances that is nearly all.
    ascending = np.sort(distances[distances <= values.max()])
    nearer = np.searchsorted(ascending, values)
    following = ascending[np.minimum(nearer + 1, len(ascending) - 1)]
    # Ties are rare among real descriptors, so only where there is one the row itself is looked through.
    for place in np.flatnonzero((following == values) & (nearer + 1 < len(ascending))):
        nearer[place] += np.count_nonzero(distances[: entries[place]] == values[place])
    return nearer


def _rank(pairs: Pairs, distances: np.ndarray, nearer: np.ndarray, ignored: np.ndarray) -> MatchRanks:
    order = np.lexsort((pairs.entries, distances, pairs.queries))
    queries, ignored = pairs.queries[order], ignored[order]
    # Ignored images move the matches after them up; only those of the same query count.
    ignored_before = np.concatenate([[0], np.cumsum(ignored)])
    of_query_before = ignored_before[1:] - ignored_before[pairs.begins[queries]]
    return MatchRanks(queries[~ignored], (nearer[order] - of_query_before + 1)[~ignored])
