"""A window at a random place."""

import numpy as np
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.options import Whole
from reid_tf.pipeline.augment.augmentation import Augmentation, Batch
from reid_tf.pipeline.augment.geometry import move_landmarks, take_windows
from reid_tf.pipeline.decode import ImageSize
from reid_tf.registry import AUGMENTATIONS

_DEFAULT_PADDING = 10


@AUGMENTATIONS.register("random_crop")
def random_crop(
    image_size: ImageSize, *, padding: Whole | None = None, fill: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Augmentation:
    """Cuts images to the model's size at a random place, after padding them.

    Two usual recipes in one: pad an image of the right size and cut it back, or load
    images slightly larger (`load_size` of an experiment) and cut them down.

    Args:
        image_size: (int, int). Height and width of the window.
        padding: int >= 0, or None. Pixels added on each side. None means 10 around
            images that have the image size, and none around larger ones.
        fill: three floats in 0..255. Colour of the padding; black.

    Returns:
        `Augmentation`.

    Raises:
        InputError: the padding is negative, a fill value lies outside 0..255, or, at
            the first batch, the images are smaller than the window.
    """
    if not all(0.0 <= value <= 255.0 for value in fill):
        raise InputError(f"The fill values of random_crop must lie in 0..255. Received: {fill}.")

    def augment(batch: Batch, seed: tf.Tensor) -> Batch:
        size = tuple(batch["image"].shape[1:3])
        border = (_DEFAULT_PADDING if size == tuple(image_size) else 0) if padding is None else padding
        spare = (size[0] + 2 * border - image_size[0], size[1] + 2 * border - image_size[1])
        if min(spare) < 0:
            raise InputError(f"random_crop cannot cut {image_size} out of images of {size} padded by {border}.")
        seeds = tf.random.split(seed)
        count = [tf.shape(batch["image"])[0]]
        top = tf.random.stateless_uniform(count, seeds[0], 0, spare[0] + 1, tf.int32)
        left = tf.random.stateless_uniform(count, seeds[1], 0, spare[1] + 1, tf.int32)
        changed = {**batch, "image": take_windows(_pad(batch["image"], border, fill), top, left, image_size)}
        if "landmarks" in batch:
            width_and_height = tf.constant(image_size[::-1], tf.float32)
            corner = tf.cast(tf.stack([left, top], axis=1) - border, tf.float32)
            changed["landmarks"] = move_landmarks(
                batch["landmarks"], tf.constant(size[::-1], tf.float32) / width_and_height, -corner / width_and_height
            )
        return changed

    return augment


def _pad(images: tf.Tensor, border: int, fill: tuple[float, float, float]) -> tf.Tensor:
    if border == 0:
        return images
    padded = tf.pad(images, [[0, 0], [border, border], [border, border], [0, 0]])
    if not any(fill):
        return padded
    frame = np.empty(padded.shape[1:], np.float32)
    frame[:] = fill
    frame[border:-border, border:-border] = 0.0
    return padded + frame
