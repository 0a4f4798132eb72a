"""COCO's files: the people in images, each with 17 points, or with a box."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reid_tf.datasets.readers.json import json_numbers, read_json
from reid_tf.errors import InputError

_VISIBLE = 2.0


class CocoPeople(NamedTuple):
    """The people that a file has keypoints of.

    Args:
        annotations: tuple of N mappings, as the file has them.
        images: tuple of N mappings. The image of each, with `file_name`.
        keypoints: float32 [N, 17, 3]. x and y in pixels as the file has them, and a
            confidence: COCO's own third value (0 not labelled, 1 hidden, 2 visible) as
            0, 0.5 or 1; estimators write scores there, which are kept.
    """

    annotations: tuple[Mapping[str, Any], ...]
    images: tuple[Mapping[str, Any], ...]
    keypoints: np.ndarray


def read_coco_people(path: Path) -> CocoPeople:
    """Reads a COCO keypoint file, with people as annotators or estimators saw them.

    Args:
        path: Path. The JSON file: `images` with `id` and `file_name`, `annotations`
            with `image_id` and `keypoints`, 51 numbers in pixels.

    Returns:
        `CocoPeople`; annotations without keypoints are left out.

    Raises:
        InputError: the file cannot be read or is another one, COCO's `instances_*.json`
            among them.
    """
    content = read_json(path)
    try:
        described = {image["id"]: image for image in content["images"]}
        annotations = tuple(entry for entry in content["annotations"] if "keypoints" in entry)
        images = tuple(described[entry["image_id"]] for entry in annotations)
        unnamed = sum(not isinstance(image.get("file_name"), str) for image in images)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(_other_file(path, repr(error))) from error
    if unnamed:
        raise InputError(_other_file(path, f"{unnamed} images have no file_name that is text"))
    if content["annotations"] and not annotations:
        raise InputError(
            f"None of the {len(content['annotations']):,} annotations in {str(path)!r} has keypoints, which is so in "
            "COCO's instances_*.json; those of person_keypoints_*.json have them."
        )
    return CocoPeople(annotations, images, _keypoints(path, annotations))


def read_coco_boxes(
    path: Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, int] | None]:
    """Reads the boxes of people in the frames of a video.

    Args:
        path: Path. The JSON file: `images` with `id` and perhaps `frame_id`, `width`
            and `height`; `annotations` with `image_id` and `bbox`, and perhaps
            `category_id`, `track_id` and `score`.

    Returns:
        frames int64 [N], counted from 0; tracks int64 [N], -1 for none; edges float64
        [N, 4]; scores float64 [N]; height and width of the frames, or None.

    Raises:
        InputError: the file cannot be read or is another one, or its images are of
            several sizes.
    """
    content = read_json(path)
    try:
        images, entries = list(content["images"]), list(content["annotations"])
        numbers = {image["id"]: image.get("frame_id", place) for place, image in enumerate(images)}
        people = {kind["id"] for kind in content.get("categories", ()) if kind.get("name") in ("person", "pedestrian")}
        entries = [entry for entry in entries if not people or entry.get("category_id") in people]
        frames = np.array([numbers[entry["image_id"]] for entry in entries], np.int64)
        tracks = np.array([entry.get("track_id", -1) for entry in entries], np.int64)
        scores = np.array([entry.get("score", 1.0) for entry in entries], np.float64)
        sizes = {(image["height"], image["width"]) for image in images if "height" in image}
        boxes = np.zeros((len(entries), 4), np.float64)
        for place, entry in enumerate(entries):
            boxes[place] = json_numbers(path, "bbox", entry["bbox"], 4, "left, top, width, height")
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{str(path)!r} is not a COCO file of boxes, with `images` (id) and `annotations` (image_id, bbox): "
            f"{error!r}."
        ) from error
    if len(sizes) > 1:
        raise InputError(f"The frames of a video have one size. Received: {sorted(sizes)} in {str(path)!r}.")
    return frames, tracks, boxes + np.pad(boxes[:, :2], ((0, 0), (2, 0))), scores, next(iter(sizes), None)


def _other_file(path: Path, reason: str) -> str:
    return (
        f"{str(path)!r} is not a COCO keypoint file, with `images` (id, file_name) and `annotations` (image_id, "
        f"keypoints): {reason}."
    )


def _keypoints(path: Path, annotations: Sequence[Mapping[str, Any]]) -> np.ndarray:
    values = np.zeros((len(annotations), 17, 3), np.float32)
    for position, entry in enumerate(annotations):
        points = json_numbers(path, "keypoints", entry["keypoints"], 51, "17 x, y and visibility")
        values[position] = points.reshape(17, 3)
    if np.isin(values[..., 2], (0.0, 1.0, _VISIBLE)).all() and (values[..., 2] == _VISIBLE).any():
        values[..., 2] /= _VISIBLE
    return values
