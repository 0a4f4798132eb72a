"""How differently two persons stand: distances between their landmarks, wherever in the image and however large."""

from typing import Any

from keras import ops

# Of the image. A box that is narrower counts as this wide, or landmarks in a line would be moved far apart.
SMALLEST_SIDE = 0.1


def poses(landmarks: Any, least_confidence: float) -> tuple[Any, Any]:
    """Landmarks relative to the box around those that are visible.

    Each axis is divided by the box's own side: x and y count in widths and heights of
    the image, whose aspect ratio is not known here.

    Args:
        landmarks: float32 [images, 18, 3]. x and y in [0, 1] of the image and
            confidence.
        least_confidence: float in (0, 1]. Below it a landmark is not visible.

    Returns:
        float32 [images, 18, 2], in [-0.5, 0.5], 0 where not visible; bool [images, 18],
        which are visible.
    """
    visible = landmarks[:, :, 2] >= least_confidence
    shown, places = visible[:, :, None], landmarks[:, :, :2]
    low = ops.min(ops.where(shown, places, 1.0), axis=1, keepdims=True)
    high = ops.max(ops.where(shown, places, 0.0), axis=1, keepdims=True)
    relative = (places - (low + high) / 2.0) / ops.maximum(high - low, SMALLEST_SIDE)
    return ops.where(shown, relative, 0.0), visible


def pose_distances(landmarks: Any, least_confidence: float, common_landmarks: int) -> tuple[Any, Any]:
    """Mean Euclidean distances between the landmarks that are visible in both of two images.

    Args:
        landmarks: float32 [images, 18, 3]. x and y in [0, 1] of the image and
            confidence.
        least_confidence: float in (0, 1]. Below it a landmark is not visible.
        common_landmarks: int. With fewer in common the distance of two images is not
            known.

    Returns:
        float32 [images, images], in boxes, at most the square root of 2; bool [images,
        images], which are known.
    """
    places, visible = poses(landmarks, least_confidence)
    apart = ops.sqrt(ops.sum(ops.square(places[:, None] - places[None, :]), axis=-1))  # [images, images, 18]
    common = ops.cast(visible[:, None] & visible[None, :], "float32")
    count = ops.sum(common, axis=-1)
    return ops.sum(apart * common, axis=-1) / ops.maximum(count, 1.0), count >= common_landmarks
