"""Boxes of body parts from landmarks: head, trunk and lower limbs.

One function serves NumPy arrays, the training pipeline's tensors and an exported
model's.
"""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from reid_tf.arrays import functions_of
from reid_tf.datasets.doctor.findings import counted
from reid_tf.datasets.joint_orders import PARTS
from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.errors import InputError

# The lowest score at which a landmark lies, to the eye, where it should on real crops (MoveNet).
LEAST_CONFIDENCE = 0.15
_ARMS = (3, 4, 6, 7)
_LEAST_EXTENT = 0.02  # of the image's width or height

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Part:
    """A body part by its landmarks, numbered in OpenPose's COCO-18 order.

    The box needs a landmark of the upper and one of the lower end; those between only
    widen it. `above` and `below` are how far the body goes on beyond its landmarks, in
    heights of their extremes: to the crown, to the sole. `least` is the least width and
    height of the box in those of the image: a person seen from the side has no width
    between the shoulders. `region` is about the middle box of real crops.
    """

    upper: tuple[int, ...]
    between: tuple[int, ...]
    lower: tuple[int, ...]
    above: float
    below: float
    least: tuple[float, float]
    region: tuple[float, float, float, float]


_HEAD = _Part((0, 14, 15, 16, 17), (), (1,), 0.5, 0.0, (0.25, 0.1), (0.25, 0.0, 0.75, 0.25))
_TRUNK = _Part((1, 2, 5), (), (8, 11), 0.0, 0.0, (0.35, 0.2), (0.15, 0.12, 0.85, 0.58))
_LOWER_LIMBS = _Part((8, 11), (9, 12), (10, 13), 0.0, 0.08, (0.3, 0.25), (0.15, 0.42, 0.85, 1.0))
_TABLE = (_HEAD, _TRUNK, _LOWER_LIMBS)


def part_boxes(
    landmarks: Any,
    *,
    least_confidence: float = LEAST_CONFIDENCE,
    margin: float = 0.1,
    image_margin: float = 0.03,
    arms: bool = False,
) -> Any:
    """Boxes of head, trunk and lower limbs: the extremes of each part's visible landmarks, widened.

    The head has nose, eyes, ears and neck; the trunk neck, shoulders and hips; the
    lower limbs hips, knees and ankles. Where a part is not seen (`parts_seen()`) the
    box is a fixed region of the image. Boxes are clipped to the image and have a least
    size, so none is degenerate. The mirrored image has the mirrored boxes.

    Args:
        landmarks: float [batch, 18, 3]. x and y in [0, 1] of the image and confidence,
            as in `Record.landmarks`.
        least_confidence: float in (0, 1]. Below it a landmark is not visible.
        margin: float >= 0. Added on every side, as a share of the extremes' width and
            height.
        image_margin: float >= 0. Added on every side, as a share of the image's width
            and height: joints lie inside the body.
        arms: bool. Whether elbows and wrists widen the trunk.

    Returns:
        float32 [batch, 3, 4], in the order of `PARTS`: left, top, right, bottom in [0,
        1] of the image.

    References:
        Pose-guided network with joint loss: three local regions from the extreme
        coordinates of their landmarks.
    """
    functions = functions_of(landmarks)
    landmarks = functions.float32(landmarks)
    boxes = []
    for part in _TABLE:
        joints = (*part.upper, *part.between, *part.lower, *(_ARMS if arms and part is _TRUNK else ()))
        low, high = _extremes(landmarks, joints, least_confidence)  # [batch, 2] each
        size = high - low
        wider = margin * size + image_margin
        above, below = (np.array((0.0, share), np.float32) for share in (part.above, part.below))
        box = _box(low - (wider + size * above), high + (wider + size * below), part.least)
        seen = _is_seen(landmarks, part, least_confidence)
        boxes.append(functions.where(seen[:, np.newaxis], box, np.array(part.region, np.float32)))
    return functions.stack(boxes, axis=1)


def parts_seen(landmarks: Any, *, least_confidence: float = LEAST_CONFIDENCE) -> Any:
    """Says which parts have boxes from landmarks; the others have the fixed region of the image.

    A part is seen when both its ends are (face and neck, shoulders or neck and hips,
    hips and ankles) and they lie apart.

    Args:
        landmarks: float [batch, 18, 3]. As in `part_boxes()`.
        least_confidence: float in (0, 1]. As in `part_boxes()`.

    Returns:
        bool [batch, 3], in the order of `PARTS`.
    """
    functions = functions_of(landmarks)
    landmarks = functions.float32(landmarks)
    return functions.stack([_is_seen(landmarks, part, least_confidence) for part in _TABLE], axis=1)


def check_part_boxes(boxes: np.ndarray) -> None:
    """Refuses what are not part boxes, before a region without pixels gives an embedding without meaning.

    Args:
        boxes: float [batch, 3, 4]. Left, top, right, bottom in [0, 1] of the image.

    Raises:
        InputError: another shape, values that are not finite or outside of [0, 1], or a
            box without width or height.
    """
    boxes = np.asarray(boxes)
    if boxes.ndim != 3 or boxes.shape[1:] != (len(PARTS), 4) or not np.issubdtype(boxes.dtype, np.number):
        raise InputError(f"Part boxes must be numbers [batch, 3, 4]. Received: {list(boxes.shape)}, {boxes.dtype}.")
    for wrong, rule in (
        (~np.isfinite(boxes).all(axis=-1), "finite numbers"),
        (((boxes < 0) | (boxes > 1)).any(axis=-1), "in [0, 1] of the image (left, top, right, bottom), not pixels"),
        ((boxes[..., :2] >= boxes[..., 2:]).any(axis=-1), "such that left < right and top < bottom"),
    ):
        if wrong.any():
            image, part = np.argwhere(wrong)[0]
            raise InputError(
                f"Part boxes must be {rule}. Received for the {PARTS[part].replace('_', ' ')} of image {image}: "
                f"{', '.join(f'{edge:g}' for edge in boxes[image, part])}."
            )


def log_regions(landmarks: np.ndarray | Sequence[np.ndarray]) -> None:
    """Logs in one line how many images get the fixed region of the image, by part.

    Args:
        landmarks: float [N, 18, 3], or a sequence of [18, 3].
    """
    _LOG.info("part boxes: %s.", describe_regions(landmarks))


def describe_regions(landmarks: np.ndarray | Sequence[np.ndarray]) -> str:
    """Returns "the pre-defined region for 12 heads, 3 trunks and 40 lower limbs of 6,411 images".

    Args:
        landmarks: float [N, 18, 3], or a sequence of [18, 3].
    """
    seen = np.asarray(parts_seen(np.reshape(landmarks, (-1, NUM_LANDMARKS, 3))))
    heads, trunks, limbs = (~seen).sum(axis=0)
    return (
        f"the pre-defined region for {counted(heads, 'head')}, {counted(trunks, 'trunk')} and {limbs:,} lower limbs of "
        f"{counted(len(seen), 'image')}"
    )


def _extremes(landmarks: Any, joints: Sequence[int], least_confidence: float) -> tuple[Any, Any]:
    functions = functions_of(landmarks)
    points = functions.take(landmarks, joints, axis=1)  # [batch, joints, 3]
    visible = points[..., 2:] >= least_confidence
    low = functions.min(functions.where(visible, points[..., :2], 1.0), axis=1)
    high = functions.max(functions.where(visible, points[..., :2], 0.0), axis=1)
    return low, high


def _is_seen(landmarks: Any, part: _Part, least_confidence: float) -> Any:
    functions = functions_of(landmarks)
    visible = landmarks[..., 2] >= least_confidence
    ends = [functions.any(functions.take(visible, joints, axis=1), axis=1) for joints in (part.upper, part.lower)]
    low, high = _extremes(landmarks, (*part.upper, *part.lower), least_confidence)
    apart = functions.any(high - low >= _LEAST_EXTENT, axis=-1)
    return ends[0] & ends[1] & apart


def _box(low: Any, high: Any, least: tuple[float, float]) -> Any:
    """Clips boxes to the image and brings them to a least size, still inside the image."""
    functions = functions_of(low)
    low, high = functions.clip(low, 0.0, 1.0), functions.clip(high, 0.0, 1.0)
    half = functions.maximum(high - low, np.array(least, np.float32)) / 2
    centre = functions.clip((low + high) / 2, half, 1.0 - half)
    return functions.clip(functions.concatenate([centre - half, centre + half], axis=-1), 0.0, 1.0)
