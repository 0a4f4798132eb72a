"""The published body points of Market-1501: 14 joints of every train and query image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.joint_orders import MPII_14, in_coco_18
from reid_tf.datasets.readers.folders import SPLIT_FOLDERS, image_names
from reid_tf.datasets.readers.hdf5 import open_hdf5_mat
from reid_tf.errors import InputError
from reid_tf.pose.found_landmarks import FoundLandmarks

_VARIABLE = "pp"
_CROP = (64.0, 128.0)  # width and height of every image of Market-1501


def read_body_points(path: Path, images: Sequence[str]) -> dict[str, FoundLandmarks]:
    """Reads body points; every joint that COCO-18 has too gets the confidence 1.

    A file names no images: its rows are those of the split's folder, sorted by name.
    Its first joint is the crown, which COCO-18 lacks, and it has no face, so that the
    head is never seen.

    Args:
        path: Path. A MATLAB 7.3 file with the variable `pp` [28, images]: 14 x, then 14
            y, in pixels from 1. "train" or "query" in its name says of which split. Or
            the folder of both files.
        images: sequence of str. Paths of images, the split's among them.

    Returns:
        dict from folder and file name to `FoundLandmarks`.

    Raises:
        InputError: a file is missing or of another kind, no image lies in its split's
            folder, or it has more or fewer rows than the folder has images.
    """
    found: dict[str, FoundLandmarks] = {}
    for file in sorted(path.glob("*.mat")) if path.is_dir() else [path]:
        split = next((split for split in ("train", "query") if split in file.name), None)
        if split is None:
            raise InputError(f"A file of body points must have train or query in its name. Received: {str(file)!r}.")
        points = in_coco_18(_read_places(file), MPII_14)
        for folder in sorted({Path(image).parent for image in images}):
            if folder.name == SPLIT_FOLDERS[split]:
                names = _names(folder, len(points), file)
                found |= {
                    f"{folder.name}/{n}": FoundLandmarks(row, _CROP) for n, row in zip(names, points, strict=True)
                }
    if not found:
        raise InputError(
            f"The body points in {str(path)!r} belong to images in bounding_box_train/ and query/; none of the "
            f"{len(images):,} images is there."
        )
    return found


def _names(folder: Path, rows: int, file: Path) -> list[str]:
    names = image_names(folder)
    if len(names) != rows:
        raise InputError(
            f"{str(file)!r} has the points of {rows:,} images, but {str(folder)!r} holds {len(names):,}; they are "
            "matched by their order, so the folder must be complete."
        )
    return names


def _read_places(path: Path) -> np.ndarray:
    """Returns float32 [images, 14, 3]: x and y in pixels from the image's edge, confidence 1."""
    with open_hdf5_mat(path, (_VARIABLE,)) as file:
        values = file.read(_VARIABLE)
    if values.ndim != 2 or len(values) != 28 or not np.issubdtype(values.dtype, np.number):
        raise InputError(
            f"{str(path)!r}: {_VARIABLE!r} must be numbers [28, images]. Received: {values.dtype} {list(values.shape)}."
        )
    x, y = values[:14].T - 0.5, values[14:].T - 0.5  # MATLAB's first pixel is 1, and its middle half a pixel in
    return np.stack([x, y, np.ones_like(x)], axis=-1, dtype=np.float32)
