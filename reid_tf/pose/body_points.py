"""The published body points of Market-1501: 14 joints of every train and query image."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from reid_tf.datasets.folders import SPLIT_FOLDERS, image_names
from reid_tf.errors import InputError
from reid_tf.pose.found_landmarks import FoundLandmarks
from reid_tf.pose.joint_orders import MPII_14, in_coco_18

_VARIABLE = "pp"
_CROP = (64.0, 128.0)  # width and height of every image of Market-1501


def read_body_points(path: Path, images: Sequence[str]) -> dict[str, FoundLandmarks]:
    """Reads one of the two files of body points; every joint that COCO-18 has too gets the confidence 1.

    The file names no images: its rows are those of the split's folder, sorted by name. Its first joint is the crown,
    which COCO-18 lacks, and it has no face, so that the head is never seen.

    Args:
        path: Path. A MATLAB 7.3 file with the variable `pp` [28, images]: 14 x, then 14 y, in pixels from 1. "train" or
            "query" in its name says of which split.
        images: sequence of str. Paths of images, the split's among them.

    Returns:
        dict from folder and file name to `FoundLandmarks`.

    Raises:
        InputError: the file is missing or of another kind, or has more or fewer rows than the folder has images.
    """
    split = next((split for split in ("train", "query") if split in path.name), None)
    if split is None:
        raise InputError(f"A file of body points has train or query in its name. Received: {path.name!r}.")
    places = _read_places(path)
    folders = sorted({parent for parent in map(_folder, images) if parent.name == SPLIT_FOLDERS[split]})
    found: dict[str, FoundLandmarks] = {}
    for folder in folders:
        names = image_names(folder)
        if len(names) != len(places):
            raise InputError(
                f"{str(path)!r} has the points of {len(places):,} images, but {str(folder)!r} holds {len(names):,}; "
                "they are matched by their order, so the folder must be complete."
            )
        points = in_coco_18(places, MPII_14)
        found |= {f"{folder.name}/{name}": FoundLandmarks(row, _CROP) for name, row in zip(names, points, strict=True)}
    return found


def _folder(image: str) -> Path:
    return Path(image).parent


def _read_places(path: Path) -> np.ndarray:
    """Returns float32 [images, 14, 3]: x and y in pixels from the image's edge, confidence 1."""
    if not path.is_file():
        raise InputError(f"Body points are one .mat file: train's or query's. Received: {str(path)!r}, a folder.")
    try:
        with h5py.File(path, "r") as file:
            values = np.asarray(file[_VARIABLE], np.float32)  # MATLAB's axes, the other way round
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{str(path)!r} is not a MATLAB 7.3 file with the variable {_VARIABLE!r}: {str(error).rstrip('.')}."
        ) from error
    if values.ndim != 2 or values.shape[1] != 28:
        raise InputError(f"{str(path)!r}: {_VARIABLE} must be [28, images]. Received: {list(values.shape[::-1])}.")
    x, y = values[:, :14] - 0.5, values[:, 14:] - 0.5  # MATLAB's first pixel is 1, and its middle half a pixel in
    return np.stack([x, y, np.ones_like(x)], axis=-1)
