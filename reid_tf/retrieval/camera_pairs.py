"""Retrieval from each camera in each other one."""

from collections.abc import Mapping

import numpy as np

from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.match_ranks import match_ranks
from reid_tf.retrieval.metrics import RetrievalMetrics, summarise

CameraPair = tuple[int, int]


def evaluate_camera_pairs(
    query: Embeddings, gallery: Embeddings, distance: str = "cosine", max_rank: int = 50
) -> Mapping[CameraPair, RetrievalMetrics]:
    """Measures how well the queries of one camera find their people among the images of another.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        distance: str. As in `distance_blocks`.
        max_rank: int. Length of the CMC.

    Returns:
        mapping from (camera of the queries, camera of the gallery), in ascending order,
        to `RetrievalMetrics`; without the pairs of which no query has a match.

    Raises:
        InputError: query and gallery together have one camera, or the embeddings are
            not fit for one another.
    """
    cameras = np.unique(np.concatenate([query.cameras, gallery.cameras]))
    if len(cameras) < 2:
        raise InputError(f"Pairs of cameras need at least two. Received: camera {cameras.tolist()} alone.")
    searched = {camera: query.select(query.cameras == camera) for camera in np.unique(query.cameras).tolist()}
    found = {}
    for other in np.unique(gallery.cameras).tolist():
        images = gallery.select(gallery.cameras == other)  # a copy of its vectors, made once
        for one, queries in searched.items():
            if one == other:
                continue
            matches = match_ranks(queries, images, distance)
            if len(matches.ranks):
                found[one, other] = summarise(matches, len(queries), max_rank)
    return dict(sorted(found.items()))
