"""What an augmentation is, and what several of them share."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from reid_tf.errors import InputError

Batch = dict[str, tf.Tensor]

# Takes a batch and an int32 [2] seed and returns the batch changed. The batch holds "image", float32
# [batch, height, width, 3] with values 0..255, and where they are wanted "landmarks", float32 [batch, 18, 3]: x and y
# in [0, 1] of the image and a confidence. Every image draws its own numbers, all of them from the seed alone.
Augmentation = Callable[[Batch, tf.Tensor], Batch]


def augment_batch(augmentations: Sequence[Augmentation], batch: Batch, seed: tf.Tensor) -> Batch:
    """Applies augmentations one after the other, each with a seed of its own.

    Args:
        augmentations: sequence of `Augmentation`, in the order of application.
        batch: mapping with "image" and perhaps "landmarks".
        seed: int32 [2]. The same seed gives the same pixels.

    Returns:
        The batch, changed.
    """
    for position, augmentation in enumerate(augmentations):
        batch = augmentation(batch, tf.random.fold_in(seed, position))
    return batch


def chosen(probability: float, batch: Batch, seed: tf.Tensor) -> tf.Tensor:
    """Draws which images of a batch are changed.

    Args:
        probability: float in [0, 1]. Of each image, independently.
        batch: mapping with "image".
        seed: int32 [2].

    Returns:
        bool [batch].
    """
    return tf.random.stateless_uniform([tf.shape(batch["image"])[0]], seed) < probability


def check_probability(operation: str, probability: float) -> None:
    """Raises an `InputError` unless a probability lies in [0, 1]."""
    if not 0.0 <= probability <= 1.0:
        raise InputError(f"The probability of {operation} must lie in [0, 1]. Received: {probability}.")
