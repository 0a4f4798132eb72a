"""The gradient of a similarity through a Keras model, up to the feature map of one of its layers."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def features_and_gradient(
    model: keras.Model, layer: Any, inputs: Mapping[str, np.ndarray], other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a model on one image and follows the cosine of its embedding back to a feature map.

    Args:
        model: keras.Model from named inputs to a dict with "embedding".
        layer: keras.layers.Layer of the model, or of a model in it, that gives one map
            [1, h, w, channels].
        inputs: mapping from input to array of one image.
        other: float32 [dim]. The embedding that the image's is compared with.

    Returns:
        (float32 [h, w, channels], the gradient of the cosine of it, of the same shape).
    """
    with tf.GradientTape() as tape, _watched(layer, tape.watch) as seen:
        embedding = tf.cast(
            model({name: tf.constant(values) for name, values in inputs.items()})["embedding"], tf.float32
        )
        cosine = tf.tensordot(tf.math.l2_normalize(embedding[0]), tf.math.l2_normalize(tf.constant(other)), 1)
    features = seen[-1]
    gradient = tape.gradient(cosine, features, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tuple(tf.cast(values[0], tf.float32).numpy() for values in (features, gradient))


@contextlib.contextmanager
def _watched(layer: Any, watch: Callable[[tf.Tensor], None]) -> Iterator[list[tf.Tensor]]:
    """Gives the list that the layer's outputs go into as it is called, each watched before it is used further."""
    seen: list[tf.Tensor] = []
    called = layer.call

    def call(*arguments: Any, **options: Any) -> tf.Tensor:
        output = called(*arguments, **options)
        watch(output)
        seen.append(output)
        return output

    layer.call = call
    try:
        yield seen
    finally:
        layer.call = called
