"""Tracklets become people: linkage under a distance, with what is impossible left out."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import unknown

DESCRIPTORS = ("mean", "medoid", "medoids")
_MEDOIDS = 3
# Farther than any distance; also as the mean of two clusters in which one pair is impossible.
_NEVER = 1e9


@dataclasses.dataclass(frozen=True, eq=False)
class Tracklets:
    """What one camera saw of somebody without a break, many of them.

    Args:
        vectors: float32 [N, dim]. A descriptor each, of length 1.
        cameras: str [N].
        tracks: str [N]. The tracker's number, of the camera.
        starts: float64 [N]. Seconds since 1970 of the first box.
        ends: float64 [N]. Of the last one.
        frames: int64 [N]. Boxes of the track.
    """

    vectors: np.ndarray
    cameras: np.ndarray
    tracks: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def chosen(self, rows: np.ndarray) -> "Tracklets":
        """Returns those of some rows, by their numbers or a mask."""
        return Tracklets(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    @classmethod
    def join(cls, parts: "Sequence[Tracklets]") -> "Tracklets":
        """Puts several together, in their order."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


Travel = Mapping[tuple[str, str], tuple[float, float]]  # least and most seconds from leaving one to entering another


def find_people(tracklets: Tracklets, threshold: float, travel: Travel | None = None) -> np.ndarray:
    """Groups tracklets into people by average linkage of the cosine distance.

    Two tracklets of one camera that overlap in time are never one person, nor are two
    whose way from one camera to the other would take less or more time than it can.

    Args:
        tracklets: `Tracklets`.
        threshold: float. Groups are joined while their mean distance is at most this.
        travel: mapping from two cameras, in either order, to the least and the most
            seconds between leaving one and entering the other; None limits nothing.

    Returns:
        int64 [N], a number from 0 for each tracklet's person; people are numbered in
        the order in which they were seen first.

    Raises:
        InputError: the threshold is no distance, or a vector is not finite.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # SciPy is large

    if not 0 <= threshold <= 2:
        raise InputError(f"The threshold of people is a cosine distance, between 0 and 2. Received: {threshold}.")
    if not np.isfinite(tracklets.vectors).all():
        raise InputError(
            f"Tracklets need finite vectors. Received: {int((~np.isfinite(tracklets.vectors)).any(axis=1).sum())} of "
            f"{len(tracklets)} that are not."
        )
    if len(tracklets) < 2:
        return np.zeros(len(tracklets), np.int64)
    labels = fcluster(linkage(_distances(tracklets, travel or {}), "average"), threshold, "distance")
    order = np.argsort(tracklets.starts, kind="stable")
    _, first, inverse = np.unique(labels[order], return_index=True, return_inverse=True)
    numbers = np.empty(len(tracklets), np.int64)
    numbers[order] = np.argsort(np.argsort(first))[inverse]
    return numbers


def _distances(tracklets: Tracklets, travel: Travel) -> np.ndarray:
    """The upper triangle of all distances, row after row, without a second copy of it."""
    count = len(tracklets)
    distances = np.empty(count * (count - 1) // 2, np.float64)
    at = 0
    for row in range(count - 1):
        others = slice(row + 1, count)
        found = 1.0 - (tracklets.vectors[others] @ tracklets.vectors[row]).astype(np.float64)
        np.maximum(found, 0.0, out=found)
        found[_impossible(tracklets, row, others, travel)] = _NEVER
        distances[at : at + len(found)] = found
        at += len(found)
    return distances


def _impossible(tracklets: Tracklets, row: int, others: slice, travel: Travel) -> np.ndarray:
    cameras, starts, ends = tracklets.cameras[others], tracklets.starts[others], tracklets.ends[others]
    between = np.maximum(starts - tracklets.ends[row], tracklets.starts[row] - ends)  # below 0 where they overlap
    here = tracklets.cameras[row]
    impossible = (cameras == here) & (between <= 0)
    for (one, other), (least, most) in travel.items():
        if here in (one, other):
            is_there = cameras == (other if here == one else one)
            impossible |= is_there & ((between < least) | (between > most))
    return np.asarray(impossible)


def descriptor(vectors: np.ndarray, qualities: np.ndarray, how: str = "mean") -> np.ndarray:
    """Makes one vector of a track's crops.

    Args:
        vectors: float32 [n, dim], finite.
        qualities: float [n]. Their weights.
        how: "mean", weighted by quality; "medoid", the vector nearest to all others; or
            "medoids", the mean of three medoids, so that a side that was seen once
            counts as much as one that was seen ten times.

    Returns:
        float32 [dim], of length 1.

    Raises:
        InputError: there is no such way.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.maximum(lengths, 1e-12)
    if how == "mean":
        weights = np.maximum(qualities, 1e-6)
        found = (units * weights[:, None]).sum(axis=0)
    elif how in DESCRIPTORS:
        found = units[_medoids(units, 1 if how == "medoid" else _MEDOIDS)].sum(axis=0)
    else:
        raise InputError(unknown("descriptor", how, DESCRIPTORS))
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12), np.float32)


def _medoids(units: np.ndarray, count: int) -> list[int]:
    """Chooses vectors one by one, each so that the sum of all vectors' distances to their nearest one falls most."""
    distances = 1 - units @ units.T
    nearest, chosen = np.full(len(units), np.inf), list[int]()
    while len(chosen) < count:
        best = int(np.minimum(nearest[:, None], distances).sum(axis=0).argmin())
        if best in chosen:
            break
        chosen.append(best)
        nearest = np.minimum(nearest, distances[:, best])
    return chosen
