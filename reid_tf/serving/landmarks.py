"""The landmarks of a request, checked in the graph as `reid_tf.datasets.landmarks` checks them before it."""

import tensorflow as tf

_TOLERANCE = 1e-4  # of the image: rounding in float32 is not an error


def checked_landmarks(landmarks: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the landmarks that are not valid; fails with `InvalidArgumentError` where they are not as many as images.

    Args:
        landmarks: float32 [batch, 18, 3]. x and y in [0, 1] of the image, and
            confidence.
        count: int32 scalar. The images of the request.

    Returns:
        (landmarks, error): float32 [batch, 18, 3], zeros (nothing is seen) where they
        are refused; and string [batch], "" where they are valid, else what is wrong.
    """
    found = tf.shape(landmarks)[0]
    message = tf.strings.format("there must be as many landmarks as images, and there are {} for {}", (found, count))
    with tf.control_dependencies([tf.debugging.Assert(found == count, [message])]):
        inside = (landmarks >= -_TOLERANCE) & (landmarks <= 1.0 + _TOLERANCE)  # no number that is not finite is
    unseen = tf.math.is_finite(landmarks) & (landmarks[..., 2:] == 0.0)
    sound = tf.reduce_all(inside | unseen, axis=(1, 2))
    wrong = "has landmarks that are not finite, or outside the unit square of the image"
    return tf.where(sound[:, tf.newaxis, tf.newaxis], landmarks, 0.0), tf.where(sound, "", wrong)
