"""Pairs of images of one person and of two, as a verification is measured on."""

import dataclasses

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.distances import distance_blocks
from reid_tf.retrieval.embeddings import row_blocks

# Of genuine and of impostor pairs each: enough for a false-accept rate of two in a million.
MOST_PAIRS = 5_000_000
_CELLS_AT_ONCE = 2**22


@dataclasses.dataclass(frozen=True, eq=False)
class VerificationPairs:
    """P pairs of images, ordered by the first and then by the second; a pair of two images occurs once.

    Args:
        first: int32 [P]. Index of each pair's first image.
        second: int32 [P]. Index of its second image, always the larger one.
        genuine: bool [P]. Whether both show one person; the others are impostor pairs.
    """

    first: np.ndarray
    second: np.ndarray
    genuine: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def verification_pairs(
    identities: np.ndarray, cameras: np.ndarray, across_cameras: bool, most: int = MOST_PAIRS
) -> VerificationPairs:
    """Forms all pairs of images, or a sample where there are too many.

    Besides the pairs (9 bytes each), at most some 200 MB are held. The sample is the
    same for the same images.

    Args:
        identities: int64 [N]. Whom each image shows.
        cameras: int64 [N]. Which camera took it.
        across_cameras: bool. Whether both images of a pair must be from different
            cameras.
        most: int. Of genuine pairs and of impostor pairs each; where there are more,
            each is kept with the same probability, so that about so many are.

    Returns:
        `VerificationPairs`.

    Raises:
        InputError: there is no genuine or no impostor pair, or `most` is no count.
    """
    count, most = len(identities), whole_number("most", most)
    genuine_share, impostor_share = _shares(identities, cameras, across_cameras, most)
    generator = np.random.default_rng(0)  # one number per pair, in their order
    parts = []
    for rows in row_blocks(count, max(1, _CELLS_AT_ONCE // count)):
        allowed = np.arange(count) > np.arange(rows.start, rows.stop)[:, np.newaxis]
        if across_cameras:
            allowed &= cameras[rows, np.newaxis] != cameras
        first, second = (index.astype(np.int32) for index in np.nonzero(allowed))
        first += rows.start
        genuine = identities[first] == identities[second]
        kept = generator.random(len(first)) < np.where(genuine, genuine_share, impostor_share)
        parts.append((first[kept], second[kept], genuine[kept]))
    return VerificationPairs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def pair_distances(vectors: np.ndarray, pairs: VerificationPairs, distance: str) -> np.ndarray:
    """Measures the distances of pairs, those of `distance_blocks`.

    Args:
        vectors: float32 [N, D]. The embeddings of the images.
        pairs: `VerificationPairs`.
        distance: str. As in `distance_blocks`.

    Returns:
        float32 [P].

    Raises:
        InputError: as `distance_blocks()`.
    """
    distances = np.empty(len(pairs), np.float32)
    for rows, block in distance_blocks(vectors, vectors, distance):
        here = slice(*np.searchsorted(pairs.first, [rows.start, rows.stop]))
        distances[here] = block[pairs.first[here] - rows.start, pairs.second[here]]
    return distances


def _shares(identities: np.ndarray, cameras: np.ndarray, across_cameras: bool, most: int) -> tuple[float, float]:
    """Which parts of the genuine and of the impostor pairs to keep, from counts alone."""
    genuine, total = _count_pairs(identities), _count_pairs(np.zeros_like(identities))
    if across_cameras:
        genuine -= _count_pairs(np.stack([identities, cameras], axis=1))
        total -= _count_pairs(cameras)
    impostor = total - genuine
    if not genuine or not impostor:
        where = "across cameras" if across_cameras else "of any cameras"
        raise InputError(
            f"A verification needs pairs {where} of one person and of two people. Received: {genuine} genuine and "
            f"{impostor} impostor pairs among {len(identities)} images of {len(np.unique(identities))} identities."
        )
    return min(1.0, most / genuine), min(1.0, most / impostor)


def _count_pairs(labels: np.ndarray) -> int:
    """How many pairs of rows have equal labels."""
    counts = np.unique(labels, axis=0, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())
