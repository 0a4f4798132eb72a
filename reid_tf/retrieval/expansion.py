"""Query expansion and database augmentation: an image's vector blended with those of its nearest gallery images."""

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.distances import distance_blocks
from reid_tf.retrieval.embeddings import Embeddings, check_sides
from reid_tf.retrieval.nearest import nearest
from reid_tf.retrieval.threads import row_threads


def expand_queries(
    query: Embeddings, gallery: Embeddings, k: int = 5, alpha: float = 0.0, distance: str = "cosine"
) -> Embeddings:
    """Blends every query's vector with those of its k nearest gallery images.

    The result is the mean of the query and the k images. Where the distance is the
    cosine, vectors of length 1 are blended, and the k images may weigh less the less
    they are like the query: by the cosine, at least 0, to the power of alpha.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`, at least k.
        k: int >= 1. The paper of the plain mean took as many as are surely right.
        alpha: float >= 0. 0 weighs all k images like the query itself; the paper took
            3. Above 0 for the cosine only.
        distance: "cosine", "euclidean" or "mean_squared".

    Returns:
        `Embeddings` of the queries with other vectors.

    Raises:
        InputError: k is outside 1 .. the gallery, alpha is negative or given for
            another distance than the cosine, or as `distance_blocks()`.

    References:
        Chum et al., Total Recall: Automatic Query Expansion with a Generative Feature
        Model for Object Retrieval, ICCV 2007 (the mean). Radenovic, Tolias and Chum,
        Fine-tuning CNN Image Retrieval with No Human Annotation, TPAMI 2019 (alpha).
    """
    check_sides(query, gallery)
    return _blend(query, gallery, k, alpha, distance, without_itself=False)


def augment_gallery(gallery: Embeddings, k: int = 5, alpha: float = 0.0, distance: str = "cosine") -> Embeddings:
    """Blends every gallery image's vector with those of the k others that are nearest to it.

    Args:
        gallery: `Embeddings`, more than k.
        k: int >= 1. This and the other options are those of `expand_queries()`.
        alpha: float >= 0.
        distance: "cosine", "euclidean" or "mean_squared".

    Returns:
        `Embeddings` of the gallery with other vectors.

    Raises:
        InputError: k is outside 1 .. the others of the gallery, or as
            `expand_queries()`.

    References:
        Arandjelovic and Zisserman, Three Things Everyone Should Know to Improve Object
        Retrieval, CVPR 2012.
    """
    return _blend(gallery, gallery, k, alpha, distance, without_itself=True)


def _blend(
    images: Embeddings, gallery: Embeddings, k: int, alpha: float, distance: str, without_itself: bool
) -> Embeddings:
    most = len(gallery) - without_itself
    if whole_number("k", k) > most:
        raise InputError(f"An expansion takes at most {most} of {len(gallery)} gallery images. Received: k={k}.")
    if not 0 <= alpha < np.inf or (alpha and distance != "cosine"):
        raise InputError(
            f"alpha must be at least 0, and 0 for other distances than the cosine. Received: alpha={alpha} with "
            f"{distance!r}."
        )
    blended = np.empty_like(images.vectors)
    with row_threads() as over_rows:
        unit = _of_length_1 if distance == "cosine" else np.asarray
        for rows, block in distance_blocks(images.vectors, gallery.vectors, distance):

            def blend(piece: slice, block: np.ndarray = block, first: int = rows.start) -> None:
                here, values = slice(first + piece.start, first + piece.stop), block[piece]
                if without_itself:
                    values[np.arange(len(values)), np.arange(here.start, here.stop)] = np.inf
                chosen = nearest(values, k)
                likeness = np.maximum(1 - np.take_along_axis(values, chosen, axis=1), 0)
                weights = likeness**alpha if alpha else np.ones_like(likeness)
                blended[here] = unit(images.vectors[here])
                for row, (entries, row_weights) in enumerate(zip(chosen, weights, strict=True), here.start):
                    blended[row] += row_weights @ unit(gallery.vectors[entries])
                blended[here] /= k + 1

            over_rows(blend, len(block))
    return Embeddings(blended, images.identities, images.cameras, images.paths, images.encoder)


def _of_length_1(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
