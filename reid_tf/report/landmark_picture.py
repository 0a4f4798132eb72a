"""Persons with their landmarks and the boxes of their body parts."""

from collections.abc import Sequence

import cv2
import numpy as np

from reid_tf.datasets.joint_orders import PARTS
from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import read_image
from reid_tf.pose.part_boxes import LEAST_CONFIDENCE, part_boxes, parts_seen
from reid_tf.report.image_grid import image_grid
from reid_tf.report.picture import TILE

PART_COLOURS = ((255, 140, 0), (30, 120, 255), (230, 30, 200))  # head, trunk, lower limbs
_RIGHT, _LEFT, _MIDDLE = (230, 40, 40), (40, 200, 60), (250, 220, 40)
# Pairs of landmarks in OpenPose's COCO-18 order, by the side of the body.
_BONES = {
    _RIGHT: ((1, 2), (2, 3), (3, 4), (1, 8), (8, 9), (9, 10), (0, 14), (14, 16)),
    _LEFT: ((1, 5), (5, 6), (6, 7), (1, 11), (11, 12), (12, 13), (0, 15), (15, 17)),
    _MIDDLE: ((0, 1),),
}
_SIDES = {_RIGHT: (2, 3, 4, 8, 9, 10, 14, 16), _LEFT: (5, 6, 7, 11, 12, 13, 15, 17), _MIDDLE: (0, 1)}


def draw_landmarks(paths: Sequence[str], landmarks: np.ndarray, columns: int = 8) -> np.ndarray:
    """Draws images with their landmarks: the person's right side red, the left one green, seen joints filled.

    Args:
        paths: sequence of N str. `Record.path`s.
        landmarks: float [N, 18, 3]. As in `Record.landmarks`.
        columns: int. Images in a row.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: there is no image, one cannot be read, or there are more or fewer
            landmarks than images.
    """
    _check(paths, landmarks)
    tiles = [_with_landmarks(_enlarged(path), points) for path, points in zip(paths, landmarks, strict=True)]
    return image_grid(tiles, columns=columns)


def draw_parts(paths: Sequence[str], landmarks: np.ndarray, columns: int = 4) -> np.ndarray:
    """Draws each image with its landmarks, with the boxes of its body parts, and cut into fixed stripes for comparison.

    A part that the landmarks do not show has a thin box, the pre-defined region, and is
    named beneath it.

    Args:
        paths: as in `draw_landmarks()`.
        landmarks: as in `draw_landmarks()`.
        columns: int. Images in a row, three tiles each.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: as `draw_landmarks()`.

    References:
        Pose-guided network with joint loss, figure 3.
    """
    _check(paths, landmarks)
    boxes, seen = np.asarray(part_boxes(landmarks)), np.asarray(parts_seen(landmarks))
    third = np.array([[0.0, part / 3, 1.0, (part + 1) / 3] for part in range(3)])
    tiles: list[np.ndarray] = []
    captions = []
    for path, points, image_boxes, image_seen in zip(paths, landmarks, boxes, seen, strict=True):
        image = _enlarged(path)
        tiles += [
            _with_landmarks(image, points),
            _with_boxes(image, image_boxes, image_seen),
            _with_boxes(image, third, np.ones(3, bool)),
        ]
        captions += ["landmarks", f"parts\n{_unseen(image_seen)}", "stripes"]
    return image_grid(tiles, captions, columns=3 * columns)


def _check(paths: Sequence[str], landmarks: np.ndarray) -> None:
    if not len(paths) or np.shape(landmarks) != (len(paths), NUM_LANDMARKS, 3):
        raise InputError(
            f"A picture of landmarks needs images and [18, 3] landmarks of each. Received: {len(paths)} images and "
            f"landmarks {list(np.shape(landmarks))}."
        )


def _enlarged(path: str) -> np.ndarray:
    """Reads an image and brings it to the height or width of a tile, so that lines stay thin."""
    image = read_image(path)
    scale = min(TILE[0] / image.shape[0], TILE[1] / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _with_landmarks(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    image = image.copy()
    places = _pixels(landmarks[:, :2], image)
    seen = landmarks[:, 2] >= LEAST_CONFIDENCE
    for colour, bones in _BONES.items():
        for first, second in bones:
            if seen[first] and seen[second]:
                cv2.line(image, places[first], places[second], colour, 1, cv2.LINE_AA)
    for colour, joints in _SIDES.items():
        for joint in joints:
            if landmarks[joint, 2] > 0:
                cv2.circle(image, places[joint], 3, colour, -1 if seen[joint] else 1, cv2.LINE_AA)
    return image


def _with_boxes(image: np.ndarray, boxes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    image = image.copy()
    for box, there, colour in zip(boxes, seen, PART_COLOURS, strict=True):
        first, second = _pixels(box.reshape(2, 2), image)
        cv2.rectangle(image, first, second, colour, 2 if there else 1)
    return image


def _unseen(seen: np.ndarray) -> str:
    if seen.all():
        return ""
    names = [part.removeprefix("lower_") for part, there in zip(PARTS, seen, strict=True) if not there]
    return f"region: {', '.join(names) if seen.any() else 'all'}"


def _pixels(places: np.ndarray, image: np.ndarray) -> list[tuple[int, int]]:
    height, width = image.shape[:2]
    return [(int(x), int(y)) for x, y in np.clip(places, 0, 1) * (width - 1, height - 1)]
