"""Which gallery images of the query's identity do not count, by the name of the protocol."""

from collections.abc import Callable

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.pairs import Pairs

SINGLE_SHOT = "cuhk03_single_shot"


def ignored_pairs(query: Embeddings, gallery: Embeddings, pairs: Pairs, protocol: str = "market1501") -> np.ndarray:
    """Tells which pairs of a query and a gallery image of the same identity a protocol ignores.

    An ignored image is neither right nor wrong for that query, as though it were not in
    the gallery.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        pairs: `Pairs`, P of them.
        protocol: "market1501", "single_camera" or "cuhk03_single_shot".

    Returns:
        bool [P], True where the image is ignored.

    Raises:
        InputError: the protocol is unknown, or the embeddings lack what it needs.
    """
    if protocol not in PROTOCOLS:
        raise InputError(unknown("protocol", protocol, PROTOCOLS))
    return PROTOCOLS[protocol](query, gallery, pairs)


def market1501(query: Embeddings, gallery: Embeddings, pairs: Pairs) -> np.ndarray:
    """Ignores images of the query's identity from the query's own camera: finding those is not re-identification.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        pairs: `Pairs`, P of them.

    Returns:
        bool [P], True where the image is ignored.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.
    """
    return gallery.cameras[pairs.entries] == query.cameras[pairs.queries]


def single_camera(query: Embeddings, gallery: Embeddings, pairs: Pairs) -> np.ndarray:
    """Ignores the query image itself and nothing else, for data of one camera.

    Where query and gallery are the same object, the image itself is the one with the
    query's index; otherwise it is any gallery image with the query's path.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        pairs: `Pairs`, P of them.

    Returns:
        bool [P], True where the image is ignored.

    Raises:
        InputError: query and gallery differ and lack paths, or an image has different
            identities in them.
    """
    if query is gallery:
        return pairs.entries == pairs.queries
    if not query.paths or not gallery.paths:
        raise InputError(
            f"The protocol 'single_camera' recognises the query image by its path, so query and gallery need paths "
            f"(or must be one and the same object). Received: {len(query.paths)} query paths, {len(gallery.paths)} "
            f"gallery paths."
        )
    numbers = {path: number for number, path in enumerate(query.paths)}
    query_images = np.array([numbers[path] for path in query.paths], np.int64)
    gallery_images = np.array([numbers.get(path, -1) for path in gallery.paths], np.int64)
    shared = np.flatnonzero(gallery_images >= 0)
    differing = shared[query.identities[gallery_images[shared]] != gallery.identities[shared]]
    if len(differing):
        first = differing[0]
        raise InputError(
            f"An image must have one identity. Received: {gallery.paths[first]!r} with identity "
            f"{query.identities[gallery_images[first]]} as a query and {gallery.identities[first]} in the gallery."
        )
    return gallery_images[pairs.entries] == query_images[pairs.queries]


PROTOCOLS: dict[str, Callable[[Embeddings, Embeddings, Pairs], np.ndarray]] = {
    "market1501": market1501,
    "single_camera": single_camera,
    SINGLE_SHOT: market1501,  # before `single_shot` draws from what is left
}
