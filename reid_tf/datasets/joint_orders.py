"""The orders in which pose estimators list their landmarks, brought to OpenPose's COCO-18."""

from collections.abc import Sequence

import numpy as np

JOINTS = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
PARTS = ("head", "trunk", "lower_limbs")
NECK, RIGHT_SHOULDER, LEFT_SHOULDER, RIGHT_HIP, LEFT_HIP = 1, 2, 5, 8, 11
UNKNOWN = -1

# For each joint of COCO-18 its place in another order.
# COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, always the left one first, and no neck.
COCO_17 = (0, UNKNOWN, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
# OpenPose's BODY_25: the middle of the hips comes after the arms, toes and heels at the end.
BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
COCO_18 = tuple(range(len(JOINTS)))
# MPII's order: crown (which COCO-18 lacks), neck, right and left arm, right and left leg.
MPII_14 = (UNKNOWN, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


def in_coco_18(points: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Brings landmarks to COCO-18; joints that the other order lacks are not found.

    A missing neck is the middle of the shoulders, with the lower of their confidences.

    Args:
        points: float [N, points, 3]. x, y and confidence in any units.
        order: sequence of 18 int. For each joint its place among the points, -1 where
            it has none.

    Returns:
        float32 [N, 18, 3].
    """
    places = np.array(order)
    landmarks = points[:, np.maximum(places, 0)].astype(np.float32)
    landmarks[:, places == UNKNOWN] = 0.0
    if places[NECK] == UNKNOWN:
        shoulders = landmarks[:, [RIGHT_SHOULDER, LEFT_SHOULDER]]  # [N, 2, 3]
        landmarks[:, NECK, :2] = shoulders[..., :2].mean(axis=1)
        landmarks[:, NECK, 2] = shoulders[..., 2].min(axis=1)
    return landmarks


def inside_the_image(landmarks: np.ndarray) -> np.ndarray:
    """Makes estimates valid landmarks: those outside of the image are moved to its edge and lose their confidence.

    Args:
        landmarks: float [N, 18, 3]. x and y in units of the image.

    Returns:
        float32 [N, 18, 3], as in `Record.landmarks`.
    """
    places, confidence = landmarks[..., :2], np.clip(landmarks[..., 2:], 0.0, 1.0)
    inside = ((places >= 0.0) & (places <= 1.0)).all(axis=-1, keepdims=True)
    return np.concatenate([np.clip(places, 0.0, 1.0), np.where(inside, confidence, 0.0)], axis=-1, dtype=np.float32)
