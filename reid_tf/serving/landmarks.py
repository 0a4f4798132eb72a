"""The landmarks of a request, checked in the graph as `reid_tf.datasets.landmarks` checks them before it."""

import tensorflow as tf

_TOLERANCE = 1e-4  # of the image: rounding in float32 is no error


def checked_landmarks(landmarks: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Fails with `InvalidArgumentError` where landmarks are no landmarks, or not as many as images.

    Args:
        landmarks: float32 [batch, 18, 3]. x and y in [0, 1] of the image, and confidence.
        count: int32 scalar. The images of the request.

    Returns:
        The same landmarks.
    """
    found = tf.shape(landmarks)[0]
    number = tf.strings.format("landmarks must be as many as images, and are {} for {}", (found, count))
    inside = (landmarks >= -_TOLERANCE) & (landmarks <= 1.0 + _TOLERANCE)  # no number that is not finite is
    unseen = tf.math.is_finite(landmarks) & (landmarks[..., 2:] == 0.0)
    outside = tf.where(tf.reduce_any(~(inside | unseen), axis=(1, 2)))[:, 0]
    places = tf.strings.format(
        "landmarks must be finite and in the unit square of their image, not pixels, and those at position {} are not",
        outside,
    )
    with tf.control_dependencies(
        [tf.debugging.Assert(found == count, [number]), tf.debugging.Assert(tf.size(outside) == 0, [places])]
    ):
        return tf.identity(landmarks)
