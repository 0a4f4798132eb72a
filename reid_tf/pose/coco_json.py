"""Landmarks in a COCO keypoint file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_tf.datasets.joint_orders import COCO_17, in_coco_18
from reid_tf.datasets.readers.coco import read_coco_people
from reid_tf.datasets.readers.json import json_numbers
from reid_tf.errors import InputError
from reid_tf.pose.found_landmarks import FoundLandmarks


def read_coco(path: Path, images: Sequence[str]) -> dict[str, FoundLandmarks]:
    """Reads a COCO keypoint annotation file.

    Of several persons in an image the one with the highest confidence counts.

    Args:
        path: Path. The JSON file, as in `read_coco_people`; its images may have `width`
            and `height`.
        images: sequence of str. Not used: the file names its images.

    Returns:
        dict from file name to `FoundLandmarks`.

    Raises:
        InputError: the file is not what it should be.
    """
    people = read_coco_people(path)
    best: dict[str, FoundLandmarks] = {}
    for image, points in zip(people.images, in_coco_18(people.keypoints, COCO_17), strict=True):
        name = image["file_name"]
        if name not in best or points[:, 2].sum() > best[name].points[:, 2].sum():
            best[name] = FoundLandmarks(points, _size(path, image))
    return best


def _size(path: Path, image: Mapping[str, Any]) -> tuple[float, float] | None:
    if "width" not in image or "height" not in image:
        return None
    sides = [image["width"], image["height"]]
    width, height = json_numbers(path, "width and height", sides, 2, "above 0, in pixels").tolist()
    if width <= 0 or height <= 0:
        raise InputError(f"{str(path)!r}: width and height must be above 0. Received: {sides}.")
    return width, height
