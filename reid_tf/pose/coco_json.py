"""Landmarks in a COCO keypoint file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError
from reid_tf.pose.found_landmarks import FoundLandmarks
from reid_tf.pose.joint_orders import COCO_17, in_coco_18
from reid_tf.pose.json_file import read_json

_VISIBLE = 2.0


def read_coco(path: Path, images: Sequence[str]) -> dict[str, FoundLandmarks]:
    """Reads a COCO keypoint annotation file.

    Of several persons in an image the one with the highest confidence counts. COCO's
    own third value (0 not labelled, 1 hidden, 2 visible) becomes the confidence 0, 0.5
    or 1; estimators write scores there, which are kept.

    Args:
        path: Path. The JSON file: `images` with `id`, `file_name` and perhaps `width`
            and `height`, `annotations` with `image_id` and `keypoints`, 51 numbers in
            pixels.
        images: sequence of str. Not used: the file names its images.

    Returns:
        dict from file name to `FoundLandmarks`.

    Raises:
        InputError: the file is not what it should be.
    """
    content = read_json(path)
    try:
        described = {image["id"]: image for image in content["images"]}
        annotations = [entry for entry in content["annotations"] if "keypoints" in entry]
        names = [described[entry["image_id"]]["file_name"] for entry in annotations]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{str(path)!r} is not a COCO keypoint file, with `images` (id, file_name) and `annotations` (image_id, "
            f"keypoints): {error!r}."
        ) from error
    landmarks = in_coco_18(_points(path, annotations), COCO_17)
    best: dict[str, FoundLandmarks] = {}
    for name, entry, points in zip(names, annotations, landmarks, strict=True):
        if name not in best or points[:, 2].sum() > best[name].points[:, 2].sum():
            best[name] = FoundLandmarks(points, _size(described[entry["image_id"]]))
    return best


def _points(path: Path, annotations: Sequence[Mapping[str, Any]]) -> np.ndarray:
    values = np.zeros((len(annotations), 17, 3), np.float32)
    for position, entry in enumerate(annotations):
        try:
            values[position] = np.asarray(entry["keypoints"], np.float32).reshape(17, 3)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{str(path)!r}: keypoints must be 51 numbers (17 x, y and visibility). Received: "
                f"{str(entry['keypoints'])[:80]}."
            ) from error
    if np.isin(values[..., 2], (0.0, 1.0, _VISIBLE)).all() and (values[..., 2] == _VISIBLE).any():
        values[..., 2] /= _VISIBLE
    return values


def _size(image: Mapping[str, Any]) -> tuple[float, float] | None:
    return (image["width"], image["height"]) if "width" in image and "height" in image else None
