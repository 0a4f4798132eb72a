"""Landmarks that somebody computed elsewhere, from a file."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from reid_tf.datasets.joint_orders import inside_the_image
from reid_tf.datasets.landmarks import read_landmarks
from reid_tf.datasets.readers.folders import file_names
from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.errors import InputError
from reid_tf.pose.body_points import read_body_points
from reid_tf.pose.coco_json import read_coco
from reid_tf.pose.detector import LandmarkDetector
from reid_tf.pose.found_landmarks import FoundLandmarks
from reid_tf.pose.image_sizes import image_size
from reid_tf.pose.openpose_json import read_openpose
from reid_tf.registry import DETECTORS

_LOG = logging.getLogger(__name__)


@DETECTORS.register("landmark_file")
def landmark_file(*, path: str, format: Literal["npz", "coco", "openpose", "market1501"]) -> LandmarkDetector:
    """Takes landmarks from a file of another program; an image that the file lacks has no landmark found.

    A file names its images by their path, from any folder above them on, or by their
    file name alone.

    Args:
        path: str. The file, or for "openpose" and "market1501" the folder of its files.
        format: str. "npz" is this package's own (`datasets/landmarks.py`); "coco" a
            COCO keypoint annotation file (JSON); "openpose" the JSON files that
            OpenPose writes, `IMAGE_keypoints.json`; "market1501" the published body
            points of Market-1501 (`.mat`), which have no face.

    Returns:
        `LandmarkDetector`, which does not look at pixels.

    Raises:
        InputError: the file is missing; later, when landmarks are wanted, that it is of
            another kind or names none of the images.
    """
    if not Path(path).exists():
        raise InputError(f"The landmark file {path!r} does not exist.")
    return _LandmarkFile(Path(path), format)


class _LandmarkFile:
    image_size = None

    def __init__(self, path: Path, format: str) -> None:
        self._path, self._format = path, format
        self.description = {"name": "landmark_file", "format": format, "sha256": _digest(path)}

    def __call__(self, images: None, paths: Sequence[str]) -> np.ndarray:
        found = _READERS[self._format](self._path, paths)
        landmarks = np.zeros((len(paths), NUM_LANDMARKS, 3), np.float32)
        missing = 0
        for position, path in enumerate(paths):
            entry = next((found[name] for name in _names(path) if name in found), None)
            if entry is None:
                missing += 1
            else:
                landmarks[position] = entry.points / (*(entry.size or image_size(path)), 1.0)
        if missing == len(paths) > 0:
            raise InputError(
                f"{str(self._path)!r} names none of the {len(paths):,} images: its first is "
                f"{next(iter(found), None)!r}, and the first image is {paths[0]!r}."
            )
        if missing:
            _LOG.warning("%s lacks %s of %s images: no landmark found.", self._path, f"{missing:,}", f"{len(paths):,}")
        return inside_the_image(landmarks)


def _read_own(path: Path, images: Sequence[str]) -> dict[str, FoundLandmarks]:
    return {name: FoundLandmarks(points, (1.0, 1.0)) for name, points in read_landmarks(path).items()}


_READERS: Mapping[str, Callable[[Path, Sequence[str]], Mapping[str, FoundLandmarks]]] = {
    "npz": _read_own,
    "coco": read_coco,
    "openpose": read_openpose,
    "market1501": read_body_points,
}


def _names(path: str) -> Iterator[str]:
    """Yields what a file may call an image: the path, from each of its folders on, with and without the suffix."""
    parts = PurePosixPath(Path(path).as_posix())
    yield str(parts)
    names = parts.relative_to(parts.anchor).parts
    for first in range(len(names)):
        name = "/".join(names[first:])
        yield name
        yield name.removesuffix(parts.suffix)


def _digest(path: Path) -> str:
    """Returns a digest of a file, or of every file in a folder with its name."""
    files = [path] if path.is_file() else [path / name for name in file_names(path)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
