"""How near landmarks lie to the true ones."""

import dataclasses
from typing import Any

import numpy as np

from reid_tf.datasets.joint_orders import JOINTS, LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER
from reid_tf.errors import InputError

_DIAGONALS = ((RIGHT_SHOULDER, LEFT_HIP), (LEFT_SHOULDER, RIGHT_HIP))


@dataclasses.dataclass(frozen=True)
class LandmarkMetrics:
    """The percentage of correct keypoints, as shares in [0, 1].

    Args:
        per_joint: float64 [18]. NaN for a joint that no compared image shows.
        mean: float. The mean of the joints that are shown; NaN where none is.
        images: int. Images compared.
        skipped: int. Images left out, because their torso is not visible.
    """

    per_joint: np.ndarray
    mean: float
    images: int
    skipped: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures by name, of types that JSON has; None instead of NaN."""
        return {
            "PCK": _number(self.mean),
            "PCK_by_joint": {joint: _number(share) for joint, share in zip(JOINTS, self.per_joint, strict=True)},
            "images": self.images,
            "skipped_images": self.skipped,
        }


def landmark_metrics(
    predicted: np.ndarray, true: np.ndarray, image_size: tuple[int, int] | np.ndarray, threshold: float = 0.2
) -> LandmarkMetrics:
    """Compares landmarks with the true ones.

    Args:
        predicted: as in `percentage_of_correct_keypoints()`.
        true: as in `percentage_of_correct_keypoints()`.
        image_size: as in `percentage_of_correct_keypoints()`.
        threshold: as in `percentage_of_correct_keypoints()`.

    Returns:
        `LandmarkMetrics`.

    Raises:
        InputError: as `percentage_of_correct_keypoints()`.
    """
    per_joint, mean = percentage_of_correct_keypoints(predicted, true, image_size, threshold)
    compared = int(np.isfinite(_torso(np.asarray(true, np.float64), image_size)).sum())
    return LandmarkMetrics(per_joint, mean, compared, len(true) - compared)


def percentage_of_correct_keypoints(
    predicted: np.ndarray, true: np.ndarray, image_size: tuple[int, int] | np.ndarray, threshold: float = 0.2
) -> tuple[np.ndarray, float]:
    """PCK: the share of landmarks that lie within `threshold` torsos of the true ones.

    The torso is the longer of the two diagonals from a shoulder to the opposite hip,
    both visible, in pixels; an image without one is left out. A true landmark of
    confidence 0 is not visible and not asked for; a predicted one of confidence 0 was
    not found and is wrong.

    Args:
        predicted: float [N, 18, 3]. As in `Record.landmarks`.
        true: float [N, 18, 3]. As in `Record.landmarks`.
        image_size: (height, width) in pixels, or int [N, 2] for images of different
            sizes.
        threshold: float > 0. In torsos. 0.2 is usual.

    Returns:
        float64 [18], NaN for a joint that no image shows; and the mean of the joints
        that are shown.

    Raises:
        InputError: the shapes differ or are others, or the threshold is not positive.

    References:
        Yang and Ramanan, Articulated Human Detection with Flexible Mixtures of Parts,
        2013.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or true.shape[1:] != (len(JOINTS), 3):
        raise InputError(
            f"Landmarks to compare must both be [N, 18, 3]. Received: {list(predicted.shape)} and {list(true.shape)}."
        )
    if not threshold > 0:
        raise InputError(f"threshold must be positive. Received: threshold={threshold}.")
    torso = _torso(true, image_size)[:, np.newaxis]  # [N, 1]
    distance = np.linalg.norm(_pixels(predicted, image_size) - _pixels(true, image_size), axis=-1)  # [N, 18]
    right = (distance <= threshold * torso) & (predicted[..., 2] > 0)
    asked = (true[..., 2] > 0) & np.isfinite(torso)
    shown = asked.sum(axis=0)
    per_joint = np.where(shown > 0, (right & asked).sum(axis=0) / np.maximum(shown, 1), np.nan)
    return per_joint, float(per_joint[shown > 0].mean()) if shown.any() else float("nan")


def _torso(true: np.ndarray, image_size: tuple[int, int] | np.ndarray) -> np.ndarray:
    """Returns float64 [N], in pixels: NaN where it is not visible or has no length."""
    places = _pixels(true, image_size)
    lengths = np.zeros(len(true))
    for shoulder, hip in _DIAGONALS:
        visible = (true[:, shoulder, 2] > 0) & (true[:, hip, 2] > 0)
        length = np.linalg.norm(places[:, shoulder] - places[:, hip], axis=-1)
        lengths = np.where(visible, np.maximum(lengths, length), lengths)
    return np.where(lengths > 0, lengths, np.nan)


def _pixels(landmarks: np.ndarray, image_size: tuple[int, int] | np.ndarray) -> np.ndarray:
    sizes = np.broadcast_to(np.asarray(image_size, np.float64), (len(landmarks), 2))
    return np.asarray(landmarks[..., :2] * sizes[:, np.newaxis, ::-1])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
