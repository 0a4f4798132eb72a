"""Distances between queries and a gallery, a block of queries at a time."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from reid_tf.arrays import functions_of
from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.retrieval.embeddings import row_blocks
from reid_tf.retrieval.threads import row_threads

BLOCK_BYTES = 512 * 2**20
# Matrix multiplication gains little from more rows.
_MOST_ROWS = 1024
# Squares of longer vectors leave the range of float32; shorter ones count as zero vectors.
_LONGEST = 1e18
_SHORTEST = 1e-18

# Slices of the queries, and their distances to the whole gallery, float32 [rows, G]: the same memory in every turn.
Blocks = Iterator[tuple[slice, np.ndarray]]


class FromProducts(Protocol):
    """Turns products of some queries with the gallery, or with some images of it, into distances."""

    def __call__(self, rows: slice | np.ndarray, products: np.ndarray, columns: slice | np.ndarray = ...) -> None:
        """Changes float32 [rows, columns] in place."""


_ALL = slice(None)


def distance_blocks(
    query: np.ndarray, gallery: np.ndarray, distance: str = "cosine", block_bytes: int = BLOCK_BYTES
) -> Blocks:
    """Yields the distances of successive queries to the whole gallery.

    The array is the same memory in every turn: use it before the next one. Beyond it,
    only one number per image is held; the gallery is not copied. Products are computed
    in float32 and scaled afterwards, so that vectors of small whole numbers give exact
    ties. Distances that rounding makes negative are 0; the Euclidean distance of two
    vectors that nearly coincide is exact to about a thousandth of their length only.

    Args:
        query: float32 [Q, D].
        gallery: float32 [G, D].
        distance: "cosine", 1 - cos, where a zero vector is at distance 1 from
            everything; "euclidean"; or "mean_squared", the squared Euclidean distance
            divided by D.
        block_bytes: int. The most memory of a block; one query's distances are computed
            in any case.

    Yields:
        (slice of the queries, float32 [rows, G]).

    Raises:
        InputError: the distance is unknown, a side is empty, the dimensions differ, or
            a vector is longer than 1e18.
    """
    if distance not in DISTANCES:
        raise InputError(unknown("distance", distance, DISTANCES))
    _check(query, gallery)
    from_products = DISTANCES[distance].blocks(query, gallery)
    rows_at_once = int(np.clip(block_bytes // (4 * len(gallery)), 1, min(len(query), _MOST_ROWS)))
    buffer = np.empty((rows_at_once, len(gallery)), np.float32)
    with row_threads() as over_rows:
        for rows in row_blocks(len(query), rows_at_once):
            block = buffer[: rows.stop - rows.start]
            np.matmul(query[rows], gallery.T, out=block)

            def convert(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                from_products(slice(first + piece.start, first + piece.stop), block[piece])

            over_rows(convert, len(block))
            yield rows, block


def _check(query: np.ndarray, gallery: np.ndarray) -> None:
    if not len(query) or not len(gallery):
        raise InputError(
            f"Retrieval needs at least one query and one gallery image. Received: {len(query)} queries, "
            f"{len(gallery)} gallery images."
        )
    if query.shape[1] != gallery.shape[1]:
        raise InputError(
            f"Query and gallery must have the same number of dimensions. Received: {query.shape[1]} and "
            f"{gallery.shape[1]}."
        )


def _norms(vectors: np.ndarray) -> np.ndarray:
    def squares(rows: slice) -> np.ndarray:
        # Summed in float64: the buffered cast needs no copy of the vectors.
        return np.einsum("nd,nd->n", vectors[rows], vectors[rows], dtype=np.float64)

    with row_threads() as over_rows:
        norms = np.sqrt(np.concatenate(over_rows(squares, len(vectors))))
    if norms.max() > _LONGEST:
        raise InputError(
            f"Vectors must not be longer than {_LONGEST:g}. Received: length {norms.max():.3g} in row {norms.argmax()}."
        )
    return norms


def _cosine(query: np.ndarray, gallery: np.ndarray) -> FromProducts:
    query_scales, gallery_scales = -_inverse(_norms(query)), _inverse(_norms(gallery))

    def from_products(rows: slice | np.ndarray, products: np.ndarray, columns: slice | np.ndarray = _ALL) -> None:
        products *= gallery_scales[columns]
        products *= query_scales[rows, np.newaxis]
        products += 1
        np.maximum(products, 0, out=products)

    return from_products


def _inverse(norms: np.ndarray) -> np.ndarray:
    inverse = np.divide(1, norms, out=np.zeros_like(norms), where=norms > _SHORTEST)
    return inverse.astype(np.float32)


def _squared(query: np.ndarray, gallery: np.ndarray) -> FromProducts:
    query_squares = np.square(_norms(query)).astype(np.float32)
    gallery_squares = np.square(_norms(gallery)).astype(np.float32)

    def from_products(rows: slice | np.ndarray, products: np.ndarray, columns: slice | np.ndarray = _ALL) -> None:
        products *= -2  # |q - g|^2 = |q|^2 + |g|^2 - 2 q.g
        products += gallery_squares[columns]
        products += query_squares[rows, np.newaxis]
        np.maximum(products, 0, out=products)

    return from_products


def _euclidean(query: np.ndarray, gallery: np.ndarray) -> FromProducts:
    squared = _squared(query, gallery)

    def from_products(rows: slice | np.ndarray, products: np.ndarray, columns: slice | np.ndarray = _ALL) -> None:
        squared(rows, products, columns)
        np.sqrt(products, out=products)

    return from_products


def _mean_squared(query: np.ndarray, gallery: np.ndarray) -> FromProducts:
    squared = _squared(query, gallery)
    dimensions = query.shape[1]

    def from_products(rows: slice | np.ndarray, products: np.ndarray, columns: slice | np.ndarray = _ALL) -> None:
        squared(rows, products, columns)
        products /= dimensions

    return from_products


def distance_of_pairs(vectors_a: Any, vectors_b: Any, distance: str) -> Any:
    """Distances of pairs, as `distance_blocks` measures them between queries and gallery.

    Args:
        vectors_a: float32 [batch, dim], NumPy or tf.Tensor. The first of each pair.
        vectors_b: float32 [batch, dim]. The second of each pair.
        distance: str. As in `distance_blocks`.

    Returns:
        float32 [batch], of the same kind as the vectors.

    Raises:
        InputError: the distance is unknown.
    """
    if distance not in DISTANCES:
        raise InputError(unknown("distance", distance, DISTANCES))
    return DISTANCES[distance].pairs(vectors_a, vectors_b)


def _cosine_of_pairs(vectors_a: Any, vectors_b: Any) -> Any:
    functions = functions_of(vectors_a)
    lengths = [
        functions.sqrt(functions.maximum(functions.sum(vectors * vectors, axis=-1), _SHORTEST**2))
        for vectors in (vectors_a, vectors_b)
    ]
    products = functions.sum((vectors_a / lengths[0][:, None]) * (vectors_b / lengths[1][:, None]), axis=-1)
    return functions.maximum(1.0 - products, 0.0)


def _euclidean_of_pairs(vectors_a: Any, vectors_b: Any) -> Any:
    functions, difference = functions_of(vectors_a), vectors_a - vectors_b
    return functions.sqrt(functions.sum(difference * difference, axis=-1))


def _mean_squared_of_pairs(vectors_a: Any, vectors_b: Any) -> Any:
    difference = vectors_a - vectors_b
    return functions_of(vectors_a).mean(difference * difference, axis=-1)


class Distance(NamedTuple):
    """One distance, between all rows of two arrays and between the rows of one place.

    Args:
        blocks: function of queries and gallery to `FromProducts`.
        pairs: function of two float32 [batch, dim], NumPy or tf.Tensor, to float32
            [batch].
    """

    blocks: Callable[[np.ndarray, np.ndarray], FromProducts]
    pairs: Callable[[Any, Any], Any]


DISTANCES = {
    "cosine": Distance(_cosine, _cosine_of_pairs),
    "euclidean": Distance(_euclidean, _euclidean_of_pairs),
    "mean_squared": Distance(_mean_squared, _mean_squared_of_pairs),
}
