"""Brightness and contrast at random."""

import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.augmentation import Augmentation, Batch, check_probability, chosen
from reid_tf.registry import AUGMENTATIONS


@AUGMENTATIONS.register("colour_jitter")
def colour_jitter(*, probability: float = 1.0, brightness: float = 0.2, contrast: float = 0.2) -> Augmentation:
    """Changes brightness and contrast, as another camera's exposure would.

    Values are multiplied by a brightness factor, then their distance from the image's
    mean by a contrast factor, and cut to 0..255.

    Args:
        probability: float in [0, 1]. Of each image, independently.
        brightness: float in [0, 1]. The factor is uniform in [1 - brightness, 1 +
            brightness]; small, because colour is much of what tells persons apart.
        contrast: float in [0, 1]. The factor is uniform in [1 - contrast, 1 +
            contrast].

    Returns:
        `Augmentation`.

    Raises:
        InputError: an option lies outside [0, 1].
    """
    check_probability("colour_jitter", probability)
    for name, strength in (("brightness", brightness), ("contrast", contrast)):
        if not 0.0 <= strength <= 1.0:
            raise InputError(f"The {name} of colour_jitter must lie in [0, 1]. Received: {strength}.")

    def augment(batch: Batch, seed: tf.Tensor) -> Batch:
        image, seeds = batch["image"], tf.random.split(seed)
        changes = tf.random.stateless_uniform([2, tf.shape(image)[0]], seeds[0], -1.0, 1.0)
        changes = tf.where(chosen(probability, batch, seeds[1]), changes, 0.0)[..., tf.newaxis, tf.newaxis, tf.newaxis]
        brighter, steeper = 1.0 + brightness * changes[0], 1.0 + contrast * changes[1]  # each [batch, 1, 1, 1]
        mean = tf.reduce_mean(image, axis=[1, 2, 3], keepdims=True) * brighter
        # mean + (image * brighter - mean) * steeper, in one pass over the pixels
        jittered = image * (brighter * steeper) + mean * (1.0 - steeper)
        return {**batch, "image": tf.clip_by_value(jittered, 0.0, 255.0)}

    return augment
