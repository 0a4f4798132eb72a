"""One descriptor from several images of a person under one camera."""

import dataclasses
import logging
from collections.abc import Callable

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.fingerprint import check_same_encoder

POOLINGS: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "max": np.max}

_logger = logging.getLogger(__name__)


def pool_queries(query: Embeddings, extra: Embeddings, how: str = "mean") -> Embeddings:
    """Replaces each query's descriptor by the pooled descriptors of its identity and camera.

    Only the images in `extra` are pooled (Market-1501's hand-drawn boxes include the
    query images themselves). A query for which `extra` holds none keeps its own
    descriptor; their number is logged. Descriptors are pooled as they are, not
    normalised, so that the result lies among the gallery's descriptors whatever
    distance follows.

    Args:
        query: `Embeddings`.
        extra: `Embeddings`. More images of the query identities, such as the split
            `multi_query`.
        how: "mean", or "max" of each dimension, which suits descriptors that are never
            negative.

    Returns:
        `Embeddings` of the queries in their order, with their identities, cameras and
        paths.

    Raises:
        InputError: `how` is unknown, `extra` is empty, or the dimensions or encoders
            differ.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015, section
        5.2 (multiple queries).
    """
    if how not in POOLINGS:
        raise InputError(unknown("pooling of queries", how, POOLINGS))
    if not len(extra) or extra.vectors.shape[1] != query.vectors.shape[1]:
        raise InputError(
            f"Pooling needs images of the queries' {query.vectors.shape[1]} dimensions. Received: {len(extra)} images "
            f"of {extra.vectors.shape[1]} dimensions."
        )
    check_same_encoder("The queries", query.encoder, "the images pooled with them", extra.encoder)
    members: dict[tuple[int, int], list[int]] = {}
    for index, key in enumerate(_keys(extra)):
        members.setdefault(key, []).append(index)
    pooled = {key: POOLINGS[how](extra.vectors[members[key]], axis=0) for key in set(_keys(query)) & members.keys()}
    alone = sum(key not in pooled for key in _keys(query))
    if alone:
        _logger.warning("%d of %d queries have no further image and keep their own descriptor", alone, len(query))
    vectors = [pooled.get(key, own) for key, own in zip(_keys(query), query.vectors, strict=True)]
    return dataclasses.replace(query, vectors=np.reshape(vectors, query.vectors.shape))


def _keys(embeddings: Embeddings) -> list[tuple[int, int]]:
    return list(zip(embeddings.identities.tolist(), embeddings.cameras.tolist(), strict=True))
