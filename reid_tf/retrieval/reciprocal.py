"""k-reciprocal neighbours: an image described by the images that it and they find among their nearest.

In this file an image is one of its own neighbours: N(p, k) are p itself and its k
nearest others, R(p, k) those of them that have p in theirs, p among them.

Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from reid_tf.retrieval.distances import DISTANCES, FromProducts, distance_blocks
from reid_tf.retrieval.embeddings import row_blocks
from reid_tf.retrieval.nearest import nearest
from reid_tf.retrieval.threads import row_threads

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

_NOBODY = -1
_NUMBERS_AT_ONCE = 2**18  # of gathered vectors: they stay in a processor's cache


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest images of every image of a pool of N.

    Args:
        indices: int32 [N, k + 1]. The image itself, then the k nearest others, nearest
            first.
        distances: float32 [N, k + 1]. Theirs; 0 for the image itself.
        farthest: float32 [N]. The largest distance to any image of the pool.
    """

    indices: np.ndarray
    distances: np.ndarray
    farthest: np.ndarray


def find_neighbours(vectors: np.ndarray, k: int, distance: str, block_bytes: int) -> Neighbours:
    """Finds the nearest others of every image; equal distances in the order of the pool.

    Args:
        vectors: float32 [N, D].
        k: int in 1 .. N - 1.
        distance: str. As in `distance_blocks`.
        block_bytes: int. The most memory of a block of distances.

    Returns:
        `Neighbours`.
    """
    count = len(vectors)
    indices, distances = np.empty((count, k + 1), np.int32), np.zeros((count, k + 1), np.float32)
    indices[:, 0] = np.arange(count)
    farthest = np.empty(count, np.float32)
    with row_threads() as over_rows:
        for rows, block in distance_blocks(vectors, vectors, distance, block_bytes):

            def choose(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                values, images = block[piece], slice(first + piece.start, first + piece.stop)
                farthest[images] = values.max(axis=1)
                values[np.arange(len(values)), np.arange(images.start, images.stop)] = np.inf
                columns = nearest(values, k)
                indices[images, 1:] = columns
                distances[images, 1:] = np.take_along_axis(values, columns, axis=1)

            over_rows(choose, len(block))
    return Neighbours(indices, distances, farthest)


def encode(vectors: np.ndarray, neighbours: Neighbours, k2: int, count_itself: bool, distance: str) -> "csr_array":
    """Describes every image by its k-reciprocal neighbours, the nearer the heavier (V of equations 7 and 11).

    Two things that the paper leaves open are as in the authors' program: an image's
    distances are divided by its largest one, and its row by its sum.

    Args:
        vectors: float32 [N, D].
        neighbours: `Neighbours` of them, k1 of each.
        k2: int in 1 .. k1 + 1. Every row becomes the mean of the rows of so many of the
            image's neighbours.
        count_itself: bool. As in `Reranking`.
        distance: str. As in `distance_blocks`.

    Returns:
        Sparse float32 [N, N]; every row adds up to 1.
    """
    from scipy.sparse import csr_array  # nothing else of this room needs SciPy, which small devices lack

    count = len(vectors)
    indices = neighbours.indices
    half = indices[:, : round((indices.shape[1] - 1) / 2) + 1]
    from_products = DISTANCES[distance].blocks(vectors, vectors)
    with row_threads() as over_rows:
        reciprocal, half_reciprocal = (
            np.concatenate(over_rows(functools.partial(_find_each_other, within), count)) for within in (indices, half)
        )

        def describe(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            own = np.where(reciprocal[rows], indices[rows], _NOBODY)
            joining = _joining(own, half[indices[rows]], half_reciprocal[indices[rows]], count, count_itself)
            members, places, lengths = _distinct(np.concatenate([own, joining.reshape(len(own), -1)], axis=1))
            begins = np.cumsum(lengths) - lengths
            known = np.minimum(places, own.shape[1] - 1)  # the first places are those of the image's own neighbours
            images = np.repeat(np.arange(rows.start, rows.stop), lengths)
            distances = neighbours.distances[images, known]
            unknown = np.flatnonzero(places >= own.shape[1])
            distances[unknown] = _distances_of_pairs(vectors, images[unknown], members[unknown], from_products)
            scales = np.where(neighbours.farthest[rows] > 0, neighbours.farthest[rows], 1)
            weights = np.exp(-distances / np.repeat(scales, lengths))
            return members, weights / np.repeat(np.add.reduceat(weights, begins), lengths), lengths

        members, weights, lengths = (np.concatenate(part) for part in zip(*over_rows(describe, count), strict=True))
    begins = np.concatenate([[0], np.cumsum(lengths)])
    descriptions = csr_array((weights, members, begins), shape=(count, count))
    return _mean_of_rows(indices[:, :k2]) @ descriptions


def overlaps(descriptions: "csr_array", others: "csc_array", rows: slice) -> np.ndarray:
    """Sums up, for images of two sides, the smaller of their weights for every image that describes them.

    The Jaccard distance of the paper (equation 10) is 1 - s / (2 - s) of such a sum s,
    as the weights of an image add up to 1.

    Args:
        descriptions: sparse float32 [Q, N]. Of one side.
        others: sparse float32 [G, N]. Of the other side, by columns.
        rows: slice of the Q images.

    Returns:
        float32 [rows, G].
    """
    sums = np.zeros((rows.stop - rows.start, others.shape[0]), np.float32)
    for row, image in enumerate(range(rows.start, rows.stop)):
        entries = slice(*descriptions.indptr[image : image + 2])
        columns, weights = descriptions.indices[entries], descriptions.data[entries]
        begins = others.indptr[columns]
        lengths = others.indptr[columns + 1] - begins
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(begins - ends + lengths, lengths)
        smaller = np.minimum(others.data[places], np.repeat(weights, lengths))
        sums[row] = np.bincount(others.indices[places], smaller, minlength=len(sums[row]))
    return sums


def _find_each_other(neighbours: np.ndarray, rows: slice) -> np.ndarray:
    """Tells which of some images' neighbours [rows, k] have the image among theirs, bool [rows, k]."""
    images = np.arange(rows.start, rows.stop)
    return (neighbours[neighbours[rows]] == images[:, np.newaxis, np.newaxis]).any(axis=2)


def _joining(
    own: np.ndarray, half: np.ndarray, half_reciprocal: np.ndarray, count: int, count_itself: bool
) -> np.ndarray:
    """The half-k1 neighbours that join an image's own (equation 5): of neighbours who share two thirds of theirs.

    Args:
        own: int [rows, K]. R(p, k1), itself in the first place, `_NOBODY` where a neighbour is not reciprocal.
        half: int [rows, K, H]. N(q, k1 / 2) of each of the K neighbours q.
        half_reciprocal: bool [rows, K, H]. Which of them are in R(q, k1 / 2).
        count: int. Images of the pool.
        count_itself: bool. As in `Reranking`.

    Returns:
        int [rows, K, H], `_NOBODY` where nobody joins.
    """
    rows = np.arange(len(own))[:, np.newaxis]
    is_own = np.zeros((len(own), count + 1), bool)  # a column for `_NOBODY`, the last one
    is_own[rows, own] = True
    shared = is_own[rows[..., np.newaxis], half] & half_reciprocal
    # Neither q nor, by the paper, p is a member of its own set there.
    in_common = np.count_nonzero(shared, axis=2) - 1
    if not count_itself:
        itself = (half == own[:, :1, np.newaxis]) & half_reciprocal
        itself[:, 0] = False  # where q is p
        in_common -= itself.any(axis=2)
    of_neighbour = np.count_nonzero(half_reciprocal, axis=2) - 1
    joins = (3 * in_common >= 2 * of_neighbour) & (own != _NOBODY)
    return np.where(half_reciprocal & joins[..., np.newaxis], half, _NOBODY)


def _distinct(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct images of each row, ascending, one row after another.

    Args:
        images: int [rows, P]. `_NOBODY` does not count.

    Returns:
        (int64 [M] images, int64 [M] the first of the P places of each, int64 [rows] how many a row has).
    """
    places = images.shape[1]
    keys = np.sort(images.astype(np.int64) * places + np.arange(places), axis=1)
    ascending = keys // places
    first = np.diff(ascending, axis=1, prepend=_NOBODY) > 0
    return ascending[first], keys[first] % places, np.count_nonzero(first, axis=1)


def _distances_of_pairs(
    vectors: np.ndarray, images: np.ndarray, others: np.ndarray, from_products: FromProducts
) -> np.ndarray:
    """The distances of pairs of images, float32 [P]."""
    products = np.empty((len(images), 1), np.float32)
    for some in row_blocks(len(images), max(1, _NUMBERS_AT_ONCE // vectors.shape[1])):
        products[some, 0] = np.einsum("pd,pd->p", vectors[images[some]], vectors[others[some]])
    from_products(images, products, others[:, np.newaxis])
    return products[:, 0]


def _mean_of_rows(rows: np.ndarray) -> "csr_array":
    """A sparse matrix [N, N] that, times another, gives the means of these rows [N, k] of it."""
    from scipy.sparse import csr_array

    count, k = rows.shape
    weights = np.full(rows.size, 1 / k, np.float32)
    return csr_array((weights, rows.ravel(), np.arange(0, rows.size + 1, k)), shape=(count, count))
