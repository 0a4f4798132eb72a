"""A turn by a random angle."""

import math

import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.augmentation import Augmentation, Batch
from reid_tf.pipeline.augment.geometry import keep_inside
from reid_tf.pipeline.decode import ImageSize
from reid_tf.registry import AUGMENTATIONS


@AUGMENTATIONS.register("random_rotation")
def random_rotation(*, degrees: float = 10.0, fill: float = 0.0) -> Augmentation:
    """Turns each image about its centre by an angle of its own, uniform between -degrees and degrees.

    Args:
        degrees: float in [0, 180]. The largest angle. The attribute network's paper
            names none; people stand upright, and 10 degrees is about what a tilted
            camera does.
        fill: float in 0..255. Grey value of the corners that come into view; black.

    Returns:
        `Augmentation`. Pixels are interpolated linearly.

    Raises:
        InputError: the angle or the fill value is out of range.
    """
    if not 0.0 <= degrees <= 180.0:
        raise InputError(f"The degrees of random_rotation must lie in [0, 180]. Received: {degrees}.")
    if not 0.0 <= fill <= 255.0:
        raise InputError(f"The fill value of random_rotation must lie in 0..255. Received: {fill}.")
    largest = math.radians(degrees)

    def augment(batch: Batch, seed: tf.Tensor) -> Batch:
        angles = tf.random.stateless_uniform([tf.shape(batch["image"])[0]], seed, -largest, largest)
        changed = {**batch, "image": rotate_images(batch["image"], angles, fill)}
        if "landmarks" in batch:
            changed["landmarks"] = rotate_landmarks(batch["landmarks"], angles, batch["image"].shape[1:3])
        return changed

    return augment


def rotate_images(images: tf.Tensor, angles: tf.Tensor, fill: float) -> tf.Tensor:
    """Turns images about their centres.

    Args:
        images: float32 [batch, height, width, 3].
        angles: float32 [batch]. In radians; positive turns from the x axis (right)
            towards the y axis (down).
        fill: float. Value outside of the image.

    Returns:
        float32, of the same shape.
    """
    height, width = images.shape[1:3]
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    cosine, sine = tf.cos(angles), tf.sin(angles)
    # Where each output pixel comes from: the inverse turn, row by row of [a0 a1 a2; b0 b1 b2; 0 0 1].
    zero = tf.zeros_like(angles)
    x_from = [cosine, sine, centre_x - centre_x * cosine - centre_y * sine]
    y_from = [-sine, cosine, centre_y + centre_x * sine - centre_y * cosine]
    turned: tf.Tensor = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*x_from, *y_from, zero, zero], axis=1),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=fill,
    )
    return turned


def rotate_landmarks(landmarks: tf.Tensor, angles: tf.Tensor, size: ImageSize) -> tf.Tensor:
    """Turns landmarks with their images; those that leave the image lose their confidence.

    Args:
        landmarks: float32 [batch, points, 3]. x and y in [0, 1] of the image,
            confidence.
        angles: float32 [batch]. As in `rotate_images`.
        size: (int, int). Height and width of the image in pixels.

    Returns:
        float32 [batch, points, 3].
    """
    height, width = size
    x, y = (landmarks[..., 0] - 0.5) * width, (landmarks[..., 1] - 0.5) * height
    cosine, sine = tf.cos(angles)[:, tf.newaxis], tf.sin(angles)[:, tf.newaxis]
    turned = tf.stack([(x * cosine - y * sine) / width + 0.5, (x * sine + y * cosine) / height + 0.5], axis=-1)
    return keep_inside(turned, landmarks[..., 2:])
