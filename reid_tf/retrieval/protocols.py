"""Which gallery images of the query's identity do not count, by the name of the protocol."""

from collections.abc import Callable

import numpy as np

from reid_tf.errors import InputError
from reid_tf.registry import unknown
from reid_tf.retrieval.embeddings import Embeddings

# (index of a query, indices [M] of gallery images of its identity) -> bool [M], True where the image is ignored.
IgnoreRule = Callable[[int, np.ndarray], np.ndarray]


def ignore_rule(query: Embeddings, gallery: Embeddings, protocol: str) -> IgnoreRule:
    """Prepares a protocol for a query and a gallery set.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        protocol: "market1501" or "single_camera".

    Returns:
        Function of a query's index and the indices of the gallery images of its identity: which of these are ignored,
        neither right nor wrong, as though they were not in the gallery.

    Raises:
        InputError: the protocol is unknown, or the embeddings lack what it needs.
    """
    if protocol not in PROTOCOLS:
        raise InputError(unknown("protocol", protocol, PROTOCOLS))
    return PROTOCOLS[protocol](query, gallery)


def market1501(query: Embeddings, gallery: Embeddings) -> IgnoreRule:
    """Ignores images of the query's identity from the query's own camera: finding those is no re-identification.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.

    Returns:
        As `ignore_rule()`.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.
    """

    def rule(index: int, matches: np.ndarray) -> np.ndarray:
        return gallery.cameras[matches] == query.cameras[index]

    return rule


def single_camera(query: Embeddings, gallery: Embeddings) -> IgnoreRule:
    """Ignores the query image itself and nothing else, for data of one camera.

    Where query and gallery are the same object, the image itself is the one with the query's index; otherwise it is
    any gallery image with the query's path.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.

    Returns:
        As `ignore_rule()`.

    Raises:
        InputError: query and gallery differ and lack paths, or an image has different identities in them.
    """
    if query is gallery:
        return lambda index, matches: matches == index
    if not query.paths or not gallery.paths:
        raise InputError(
            f"The protocol 'single_camera' knows the query image itself by its path, so query and gallery need paths "
            f"(or must be one and the same object). Received: {len(query.paths)} query paths, {len(gallery.paths)} "
            f"gallery paths."
        )
    numbers = {path: number for number, path in enumerate(query.paths)}
    query_images = np.array([numbers[path] for path in query.paths])
    gallery_images = np.array([numbers.get(path, -1) for path in gallery.paths])
    shared = np.flatnonzero(gallery_images >= 0)
    differing = shared[query.identities[gallery_images[shared]] != gallery.identities[shared]]
    if len(differing):
        first = differing[0]
        raise InputError(
            f"An image must have one identity. Received: {gallery.paths[first]!r} as identity "
            f"{query.identities[gallery_images[first]]} in the query set and {gallery.identities[first]} in the gallery."
        )
    return lambda index, matches: gallery_images[matches] == query_images[index]


PROTOCOLS: dict[str, Callable[[Embeddings, Embeddings], IgnoreRule]] = {
    "market1501": market1501,
    "single_camera": single_camera,
}
