"""Keras' own image augmentations, drawing their numbers from the pipeline's seed."""

import contextlib
import inspect
import random
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.pipeline.augment.augmentation import Augmentation, Batch, check_probability, chosen
from reid_tf.registry import AUGMENTATIONS

COLOUR = (
    *("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "RandomBrightness"),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomErasing", "RandomGaussianBlur"),
    *("RandomGrayscale", "RandomHue", "RandomInvert", "RandomPosterization", "RandomSaturation", "RandomSharpness"),
    "Solarization",
)
# These move pixels, always or among other things; where landmarks are would no longer be true.
MOVING = (
    *("AugMix", "RandAugment", "RandomElasticTransform", "RandomPerspective", "RandomRotation", "RandomShear"),
    *("RandomTranslation", "RandomZoom"),
)


class Seeds(keras.random.SeedGenerator):
    """Keras' source of seeds, made of one seed that may be known only when the graph runs.

    Args:
        seed: int32 [2].
    """

    def __init__(self, seed: tf.Tensor) -> None:  # no variable, which Keras' own would make
        self._seed, self._drawn = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Returns the next seed, int32 [2]; another one at each call."""
        self._drawn += 1
        return tf.random.fold_in(self._seed, self._drawn)


@AUGMENTATIONS.register("keras_layer")
def keras_layer(*, layer: str, options: Mapping[str, Any] | None = None, probability: float = 1.0) -> Augmentation:
    """Applies one of Keras' image augmentation layers: `RandAugment`, `RandomGrayscale`, `RandomGaussianBlur` ...

    Which operations `RandAugment` does is drawn for a batch, which ones `AugMix` chains
    once for all (Keras draws them when the graph is built, here always the same ones);
    how strong they are, for each image.

    Args:
        layer: str. The layer's name in `keras.layers`.
        options: mapping, or None. The layer's own arguments.
        probability: float in [0, 1]. Of each image, independently, besides what the
            layer does itself.

    Returns:
        `Augmentation`. One that moves pixels refuses batches with landmarks.

    Raises:
        InputError: there is no such layer, it would change an image's size or mix
            people, or it does not take the options.
    """
    check_probability("keras_layer", probability)
    if layer not in COLOUR + MOVING:
        raise InputError(unknown("augmentation layer of Keras", layer, COLOUR + MOVING))
    kind = getattr(keras.layers, layer)
    ranged = {"value_range": (0, 255)} if "value_range" in inspect.signature(kind).parameters else {}
    try:
        made = kind(**{**ranged, **(options or {})}, dtype="float32")
    except (TypeError, ValueError) as error:
        raise InputError(f"Keras' layer {layer!r} refuses its options ({error}). Received: {options!r}.") from None

    def augment(batch: Batch, seed: tf.Tensor) -> Batch:
        if "landmarks" in batch and layer in MOVING:
            raise InputError(
                f"Keras' layer {layer!r} moves pixels, and landmarks would not follow; with them use one of "
                f"{', '.join(COLOUR)}. Received: a batch with landmarks."
            )
        image, seeds = batch["image"], tf.random.split(seed)
        draws = Seeds(seeds[0])
        # The method that Keras' layers ask for their seeds: an option `seed` would give every batch the same numbers.
        for part in (made, *(part for part in vars(made).values() if isinstance(part, keras.layers.Layer))):
            part._get_seed_generator = lambda backend=None: draws
        with _python_draws_the_same():
            changed = made(image, training=True)
        changed = tf.clip_by_value(tf.ensure_shape(changed, image.shape), 0.0, 255.0)
        is_chosen = chosen(probability, batch, seeds[1])[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return {**batch, "image": tf.where(is_chosen, changed, image)}

    return augment


@contextlib.contextmanager
def _python_draws_the_same() -> Iterator[None]:
    """Has Python's own generator, which `AugMix` asks while a graph is built, give the same numbers each time."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)
