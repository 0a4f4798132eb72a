"""Landmarks in the JSON files that OpenPose writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.joint_orders import BODY_25, COCO_18, in_coco_18
from reid_tf.datasets.readers.folders import file_names
from reid_tf.datasets.readers.json import json_numbers, read_json
from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.errors import InputError
from reid_tf.pose.found_landmarks import FoundLandmarks

_ENDING = "_keypoints.json"
_ORDERS = {3 * NUM_LANDMARKS: COCO_18, 3 * 25: BODY_25}


def read_openpose(path: Path, images: Sequence[str]) -> dict[str, FoundLandmarks]:
    """Reads OpenPose's output in pixels, its COCO or its BODY_25 model's.

    Of several persons in an image the one with the highest confidence counts; an image
    with none has no landmark found.

    Args:
        path: Path. A folder with one file `IMAGE_keypoints.json` per image, in
            subfolders too, or one such file.
        images: sequence of str. Not used: the files' names are the images'.

    Returns:
        dict from the image's path in the folder, without its suffix, to
        `FoundLandmarks`.

    Raises:
        InputError: there is no such file, or it is not what it should be.
    """
    folder = path if path.is_dir() else path.parent
    files = [path / name for name in file_names(path) if name.endswith(_ENDING)] if path.is_dir() else [path]
    if not files or not files[0].name.endswith(_ENDING):
        raise InputError(
            f"OpenPose's files are named IMAGE{_ENDING}. Received: {str(path)!r}, which neither is nor holds one."
        )
    return {
        file.relative_to(folder).as_posix().removesuffix(_ENDING): FoundLandmarks(_best_person(file), None)
        for file in files
    }


def _best_person(file: Path) -> np.ndarray:
    content = read_json(file)
    people = content.get("people") if isinstance(content, Mapping) else None
    if not isinstance(people, list):
        raise InputError(f"{str(file)!r} is not an OpenPose file with `people`. Received: {str(content)[:80]}.")
    landmarks = [_landmarks(person, file) for person in people]
    return max(landmarks, key=lambda points: points[:, 2].sum(), default=np.zeros((NUM_LANDMARKS, 3), np.float32))


def _landmarks(person: Any, file: Path) -> np.ndarray:
    values = person.get("pose_keypoints_2d") if isinstance(person, Mapping) else None
    if not isinstance(values, list) or len(values) not in _ORDERS:
        received = f"{len(values)} values" if isinstance(values, list) else str(person)[:80]
        raise InputError(
            f"{str(file)!r}: pose_keypoints_2d must be 54 (COCO) or 75 (BODY_25) numbers. Received: {received}."
        )
    points = json_numbers(file, "pose_keypoints_2d", values, len(values), "x, y and confidence")
    points = points.astype(np.float32).reshape(1, -1, 3)
    return in_coco_18(points, _ORDERS[len(values)])[0]
