"""Galleries of one image per identity, drawn at random: the ranks in them of the one right image."""

import dataclasses
import functools

import numpy as np

from reid_tf.options import whole_number
from reid_tf.retrieval.embeddings import Embeddings, row_blocks
from reid_tf.retrieval.reranking import Reranking, blocks_between
from reid_tf.retrieval.threads import row_threads

# Distances of one query that are looked at together: so few that they stay in a processor's cache.
_VALUES_AT_ONCE = 2**16


@dataclasses.dataclass(frozen=True, eq=False)
class SingleShots:
    """The galleries of one camera's queries: I identities in each draw.

    Args:
        identities: int64 [I]. Ascending.
        entries: int64 [draws, I]. Index of the gallery image that stands for each
            identity.
    """

    identities: np.ndarray
    entries: np.ndarray

    def columns(self, identities: np.ndarray) -> np.ndarray:
        """Returns the column of `entries` that each of some identities has, int64, -1 where it has none."""
        columns = np.searchsorted(self.identities, identities)
        return np.where(np.isin(identities, self.identities), columns, -1)


def draw_single_shots(gallery: Embeddings, camera: int, draws: int, seed: int = 0) -> SingleShots:
    """Draws one gallery image of every identity that another camera saw.

    Args:
        gallery: `Embeddings`.
        camera: int. The queries' camera, whose images are left out.
        draws: int >= 1. Every image of an identity has the same chance in each of them.
        seed: int >= 0. The same seed gives the same images.

    Returns:
        `SingleShots`; without an identity where no other camera saw any.
    """
    elsewhere = np.flatnonzero(gallery.cameras != camera)
    identities, columns = np.unique(gallery.identities[elsewhere], return_inverse=True)
    entries = np.empty((draws, len(identities)), np.int64)
    generator = np.random.default_rng(seed)
    for drawn in entries:
        order = generator.permutation(len(elsewhere))
        drawn[columns[order]] = elsewhere[order]  # the last image of each identity in the random order stays
    return SingleShots(identities, entries)


def single_shot_ranks(
    query: Embeddings,
    gallery: Embeddings,
    distance: str = "cosine",
    draws: int = 100,
    seed: int = 0,
    reranking: Reranking | None = None,
) -> np.ndarray:
    """Finds the rank of the query's identity in galleries of one image per identity.

    Equal distances rank in gallery order. Distances are computed once for all draws, a
    block at a time; beyond it, the draws of one camera are held, `draws` x identities
    numbers, and a copy of the queries.

    Args:
        query: `Embeddings`, Q of them.
        gallery: `Embeddings`.
        distance: str. As in `distances.distance_blocks`.
        draws: int >= 1. Galleries drawn for each camera of the queries.
        seed: int >= 0. Of the draws.
        reranking: `Reranking`, by the whole gallery, before anything is drawn from it;
            None for the plain distance.

    Returns:
        int64 [Q, draws], 1 for the best rank; 0 where no other camera saw the query's
        identity.

    Raises:
        InputError: draws or seed is too small, the distance is unknown, or the
            embeddings are not fit for it.
    """
    draws, seed = whole_number("draws", draws), whole_number("seed", seed, least=0)
    ranks = np.zeros((len(query), draws), np.int64)
    order = np.argsort(query.cameras, kind="stable")  # camera after camera, so that one camera's draws are held
    query = query.select(order)
    cameras, identities = query.cameras, query.identities
    shots_of = functools.lru_cache(maxsize=1)(lambda camera: draw_single_shots(gallery, camera, draws, seed))
    with row_threads() as over_rows:
        for rows, block in blocks_between(query, gallery, distance, reranking):
            for camera in np.unique(cameras[rows]):
                begin, end = np.searchsorted(cameras[rows], [camera, camera + 1])
                of_camera = slice(rows.start + begin, rows.start + end)
                shots = shots_of(int(camera))
                columns = shots.columns(identities[of_camera])

                def look_up(
                    piece: slice,
                    distances: np.ndarray = block[begin:end],
                    queries: np.ndarray = order[of_camera],
                    shots: SingleShots = shots,
                    columns: np.ndarray = columns,
                ) -> None:
                    for row in range(piece.start, piece.stop):
                        if columns[row] >= 0:
                            ranks[queries[row]] = ranks_in_draws(distances[row], shots.entries, columns[row])

                over_rows(look_up, end - begin)
    return ranks


def ranks_in_draws(distances: np.ndarray, entries: np.ndarray, column: int) -> np.ndarray:
    """Ranks one drawn image among all of its draw.

    Args:
        distances: float32 [G]. Of one query to the whole gallery.
        entries: int64 [draws, I]. The drawn gallery images.
        column: int. Which of the I images of each draw.

    Returns:
        int64 [draws].
    """
    ranks = np.empty(len(entries), np.int64)
    for some in row_blocks(len(entries), max(1, _VALUES_AT_ONCE // entries.shape[1])):
        values, own = distances.take(entries[some]), entries[some, column, np.newaxis]
        limits = values[:, column, np.newaxis]
        ranks[some] = 1 + np.count_nonzero(values < limits, axis=1)
        equal = values == limits
        # Ties are rare among real descriptors: usually only the image itself is at its distance.
        if np.count_nonzero(equal) > len(values):
            ranks[some] += np.count_nonzero(equal & (entries[some] < own), axis=1)
    return ranks
