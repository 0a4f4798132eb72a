"""Landmarks and part boxes of the mirror image, as NumPy arrays or tensors."""

from typing import Any

from reid_tf.arrays import functions_of

# Left and right joints change places in a mirror. In OpenPose's COCO-18 order: right and left arm are 2-4 and 5-7, legs
# 8-10 and 11-13, eyes 14 and 15, ears 16 and 17.
MIRRORED_LANDMARKS = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)


def mirror_landmarks(landmarks: Any) -> Any:
    """Returns the landmarks float32 [batch, 18, 3] of the mirror images, where right joints are left ones."""
    functions = functions_of(landmarks)
    swapped = functions.take(landmarks, MIRRORED_LANDMARKS, axis=1)
    return functions.concatenate([1.0 - swapped[..., :1], swapped[..., 1:]], axis=-1)


def mirrored_boxes(boxes: Any) -> Any:
    """Returns the boxes of the images with left and right exchanged.

    Args:
        boxes: float [..., 4]. Left, top, right, bottom in [0, 1].

    Returns:
        float [..., 4].
    """
    left, top, right, bottom = (boxes[..., edge] for edge in range(4))
    return functions_of(boxes).stack([1.0 - right, top, 1.0 - left, bottom], axis=-1)
