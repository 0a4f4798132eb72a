"""Left and right exchanged."""

import tensorflow as tf

from reid_tf.pipeline.augment.augmentation import Augmentation, Batch, check_probability, chosen
from reid_tf.pipeline.augment.geometry import take_windows
from reid_tf.pose.mirror import mirror_landmarks
from reid_tf.registry import AUGMENTATIONS


@AUGMENTATIONS.register("flip")
def flip(*, probability: float = 0.5) -> Augmentation:
    """Mirrors images left to right; right joints become left ones.

    Args:
        probability: float in [0, 1]. Of each image, independently.

    Returns:
        `Augmentation`.

    Raises:
        InputError: the probability lies outside [0, 1].
    """
    check_probability("flip", probability)

    def augment(batch: Batch, seed: tf.Tensor) -> Batch:
        image = batch["image"]
        mirrored = chosen(probability, batch, seed)
        origin = tf.zeros_like(mirrored, tf.int32)
        changed = {**batch, "image": take_windows(image, origin, origin, image.shape[1:3], mirrored)}
        if "landmarks" in batch:
            swapped = mirror_landmarks(batch["landmarks"])
            changed["landmarks"] = tf.where(mirrored[:, tf.newaxis, tf.newaxis], swapped, batch["landmarks"])
        return changed

    return augment
