"""Re-ranking by k-reciprocal neighbours: images are near that have the same neighbours.

Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017.
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from reid_tf.errors import InputError, require_package
from reid_tf.options import whole_number
from reid_tf.retrieval.distances import Blocks, distance_blocks
from reid_tf.retrieval.embeddings import Embeddings, check_sides
from reid_tf.retrieval.nearest import nearest
from reid_tf.retrieval.reciprocal import encode, find_neighbours, overlaps
from reid_tf.retrieval.threads import each_alone, row_threads

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Enough rows for matrix multiplication to be quick, few enough to weigh little beside the vectors.
_BLOCK_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Reranking:
    """How a ranking is made better by what the images of both sides have for neighbours.

    Args:
        k1: int >= 1. Nearest images among which an image's reciprocal neighbours are
            sought.
        k2: int in 1 .. k1. Nearest images, the image itself among them, whose
            descriptions are averaged; 1 leaves them as they are.
        weight: float in [0, 1]. Share of the plain distance in the final one; the
            paper's lambda.
        shortlist: int >= k1, or None. So many of each query's nearest gallery images
            are re-ranked, with no others for neighbours but themselves and the query;
            the rest follow behind. None re-ranks the whole gallery, with the images of
            both sides for neighbours.
        count_itself: bool. Whether, where two images count the neighbours that they
            share, the first counts as its own. Not so in the paper (equation 5), but in
            the authors' program, which thereby lets more images join.

    Raises:
        InputError: a number is outside its range.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3
    shortlist: int | None = None
    count_itself: bool = False

    def __post_init__(self) -> None:
        whole_number("k1", self.k1)
        if whole_number("k2", self.k2) > self.k1:
            raise InputError(f"k2 must be at most k1, {self.k1}. Received: k2={self.k2}.")
        if not 0 <= self.weight <= 1:
            raise InputError(f"The weight of the plain distance must be between 0 and 1. Received: {self.weight}.")
        if self.shortlist is not None and whole_number("shortlist", self.shortlist) < self.k1:
            raise InputError(f"A shortlist must hold at least k1 images, {self.k1}. Received: {self.shortlist}.")


def blocks_between(
    query: Embeddings, gallery: Embeddings, distance: str = "cosine", reranking: Reranking | None = None
) -> Blocks:
    """Returns the blocks of distances that everything is ranked by: `distance_blocks` or `reranked_blocks`.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        distance: str. As in `distance_blocks`.
        reranking: `Reranking`, or None for the plain distance.

    Raises:
        InputError: the encoders differ, or as the two functions.
    """
    check_sides(query, gallery)
    if reranking is None:
        return distance_blocks(query.vectors, gallery.vectors, distance)
    return reranked_blocks(query.vectors, gallery.vectors, reranking, distance)


def reranked_blocks(query: np.ndarray, gallery: np.ndarray, options: Reranking, distance: str = "cosine") -> Blocks:
    """Yields the re-ranked distances of successive queries to the whole gallery, as `distance_blocks` does.

    Of the distances of all images to all, only those of nearest neighbours are held:
    beyond the inputs there are one copy of the vectors, k1 + 1 neighbours of each image
    and some hundred weights.

    Args:
        query: float32 [Q, D].
        gallery: float32 [G, D], at least k1.
        options: `Reranking`.
        distance: "cosine", "euclidean" or "mean_squared". The last two are the same
            here: the formula takes the squared distance.

    Yields:
        (slice of the queries, float32 [rows, G]), between 0 and 1.

    Raises:
        InputError: k1 is larger than the gallery, or as `distance_blocks()`.
    """
    if options.k1 > len(gallery):
        raise InputError(f"k1 must be at most {len(gallery)}, the images of the gallery. Received: k1={options.k1}.")
    require_package("scipy", "Re-ranking")
    squared = "mean_squared" if distance == "euclidean" else distance  # a constant factor falls out
    blocks = distance_blocks(query, gallery, squared, _BLOCK_BYTES)
    if options.shortlist is None:
        yield from _whole(query, gallery, blocks, options, squared)
    else:
        yield from _shortlisted(query, gallery, blocks, options, squared)


def _whole(query: np.ndarray, gallery: np.ndarray, blocks: Blocks, options: Reranking, distance: str) -> Blocks:
    descriptions, farthest = _describe(np.concatenate([query, gallery]), options, distance)
    of_queries, of_gallery = descriptions[: len(query)], descriptions[len(query) :].tocsc()
    with row_threads() as over_rows:
        for rows, block in blocks:

            def combine(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                queries = slice(first + piece.start, first + piece.stop)
                shared = overlaps(of_queries, of_gallery, queries)
                _combine(block[piece], shared, farthest[queries, np.newaxis], options.weight)

            over_rows(combine, len(block))
            yield rows, block


def _shortlisted(query: np.ndarray, gallery: np.ndarray, blocks: Blocks, options: Reranking, distance: str) -> Blocks:
    listed = min(int(options.shortlist or 0), len(gallery))
    for rows, block in blocks:

        def combine(number: int, block: np.ndarray = block, first: int = rows.start) -> None:
            values, vector = block[number], query[first + number]
            images = np.sort(nearest(values[np.newaxis], listed)[0])
            descriptions, _ = _describe(np.concatenate([vector[np.newaxis], gallery[images]]), options, distance)
            shared = np.zeros_like(values)
            shared[images] = overlaps(descriptions[:1], descriptions[1:].tocsc(), slice(0, 1))
            _combine(values, shared, values.max(), options.weight)

        with each_alone() as over_queries:
            over_queries(combine, len(block))
        yield rows, block


def _describe(vectors: np.ndarray, options: Reranking, distance: str) -> tuple["csr_array", np.ndarray]:
    neighbours = find_neighbours(vectors, options.k1, distance, _BLOCK_BYTES)
    return encode(vectors, neighbours, options.k2, options.count_itself, distance), neighbours.farthest


def _combine(distances: np.ndarray, shared: np.ndarray, farthest: np.ndarray, weight: float) -> None:
    """Turns plain distances into final ones, in place (equation 12)."""
    distances *= np.where(farthest > 0, weight / np.maximum(farthest, np.finfo(np.float32).tiny), 0)
    shared /= 2 - shared
    distances += (1 - weight) * (1 - shared)
