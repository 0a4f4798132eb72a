"""Moving pixels and landmarks together."""

import tensorflow as tf

from reid_tf.pipeline.decode import ImageSize


def take_windows(
    images: tf.Tensor, top: tf.Tensor, left: tf.Tensor, size: ImageSize, mirrored: tf.Tensor | None = None
) -> tf.Tensor:
    """Cuts a window out of each image, some of them mirrored, without changing a pixel's value.

    Args:
        images: float32 [batch, height, width, 3].
        top: int32 [batch]. First row of each window; the windows lie inside the images.
        left: int32 [batch]. First column.
        size: (int, int). Height and width of all windows.
        mirrored: bool [batch], or None. Which windows have left and right exchanged.

    Returns:
        float32 [batch, *size, 3].
    """
    # The nearest pixel of a resampling grid: two to four times as fast as tf.gather or tf.reverse. The grid's ends are
    # moved inwards by a quarter of a pixel, so that rounding errors can neither change a pixel nor step over the edge.
    last_row, last_column = images.shape[1] - 1, images.shape[2] - 1
    top, left = tf.cast(top, tf.float32), tf.cast(left, tf.float32)
    first_y, last_y = (top + 0.25) / max(last_row, 1), (top + size[0] - 1.25) / max(last_row, 1)
    first_x, last_x = (left + 0.25) / max(last_column, 1), (left + size[1] - 1.25) / max(last_column, 1)
    if mirrored is not None:
        first_x, last_x = tf.where(mirrored, last_x, first_x), tf.where(mirrored, first_x, last_x)
    boxes = tf.stack([first_y, first_x, last_y, last_x], axis=1)  # [batch, 4]
    return tf.image.crop_and_resize(images, boxes, tf.range(tf.shape(images)[0]), size, method="nearest")


def move_landmarks(landmarks: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Moves landmarks to scale * position + offset; those that leave the image lose their confidence.

    Args:
        landmarks: float32 [batch, points, 3]. x and y in [0, 1] of the image,
            confidence.
        scale: float32, broadcastable to [batch, 2]. Of x and y.
        offset: float32, broadcastable to [batch, 2]. Of x and y.

    Returns:
        float32 [batch, points, 3].
    """
    positions = landmarks[..., :2] * tf.reshape(scale, [-1, 1, 2]) + tf.reshape(offset, [-1, 1, 2])
    return keep_inside(positions, landmarks[..., 2:])


def keep_inside(positions: tf.Tensor, confidence: tf.Tensor) -> tf.Tensor:
    """Joins positions and confidence to landmarks; outside of the image the confidence is 0.

    Args:
        positions: float32 [batch, points, 2]. x and y in units of the image.
        confidence: float32 [batch, points, 1].

    Returns:
        float32 [batch, points, 3].
    """
    inside = tf.reduce_all((positions >= 0.0) & (positions <= 1.0), axis=-1, keepdims=True)
    return tf.concat([positions, tf.where(inside, confidence, 0.0)], axis=-1)
