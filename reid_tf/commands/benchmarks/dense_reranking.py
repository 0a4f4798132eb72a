"""Peers of `rerank`: a program that holds the matrix of all images with all, and torchreid's."""

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import numpy as np

from reid_tf.retrieval.embeddings import Embeddings

_PEER = "torchreid"


def dense_reranking(
    query: Embeddings, gallery: Embeddings, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> np.ndarray:
    """Re-ranks by the formulas of Zhong et al. as they are usually programmed: image after image, on whole matrices.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        k1: int.
        k2: int.
        weight: float.

    Returns:
        float32 [Q, G].
    """
    distances = _all_distances(query, gallery)
    distances /= distances.max(axis=1, keepdims=True)
    order = np.argsort(distances, axis=1)
    half = round(k1 / 2)
    described = np.zeros_like(distances)
    for image in range(len(distances)):
        own = _reciprocal(order, image, k1)
        expanded = [own]
        for neighbour in own:
            theirs = _reciprocal(order, neighbour, half)
            if len(np.intersect1d(theirs, own)) > 2 / 3 * len(theirs):
                expanded.append(theirs)
        members = np.unique(np.concatenate(expanded))
        weights = np.exp(-distances[image, members])
        described[image, members] = weights / weights.sum()
    described = np.stack([described[order[image, :k2]].mean(axis=0) for image in range(len(order))])
    describing = [np.flatnonzero(column) for column in described.T]
    final = weight * distances[: len(query), len(query) :]
    for image in range(len(query)):
        shared = np.zeros(len(distances), np.float32)
        for member in np.flatnonzero(described[image]):
            others = describing[member]
            shared[others] += np.minimum(described[image, member], described[others, member])
        final[image] += (1 - weight) * (1 - (shared / (2 - shared))[len(query) :])
    return final


def torchreid_reranking(query: Embeddings, gallery: Embeddings) -> np.ndarray:
    """Re-ranks with torchreid's function, of which the file alone is loaded: its package wants PyTorch.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.

    Returns:
        float32 [Q, G].

    Raises:
        ModuleNotFoundError: torchreid is not installed.
    """
    distances, count = np.sqrt(_all_distances(query, gallery)), len(query)  # it squares what it is given
    matrix: np.ndarray = _torchreid().re_ranking(
        distances[:count, count:], distances[:count, :count], distances[count:, count:]
    )
    return matrix


def _torchreid() -> ModuleType:
    package = importlib.util.find_spec(_PEER)
    folders = [Path(folder) for folder in (package and package.submodule_search_locations) or ()]
    file = next((file for folder in folders for file in folder.rglob("rerank.py")), None)
    if file is None:
        raise ModuleNotFoundError(f"{_PEER} is not installed")
    module = ModuleType("torchreid_rerank")
    SourceFileLoader(module.__name__, str(file)).exec_module(module)
    return module


def _all_distances(query: Embeddings, gallery: Embeddings) -> np.ndarray:
    """Squared Euclidean distances of unit vectors, float32 [Q + G, Q + G]."""
    vectors = np.concatenate([query.vectors, gallery.vectors])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = np.maximum(2 - 2 * (vectors @ vectors.T), 0)
    np.fill_diagonal(distances, 0)
    return distances


def _reciprocal(order: np.ndarray, image: int, k: int) -> np.ndarray:
    near = order[image, : k + 1]
    found: np.ndarray = near[(order[near, : k + 1] == image).any(axis=1)]
    return found
