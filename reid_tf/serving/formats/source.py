"""What every format is made of."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.runtimes.base import Arrays
from reid_tf.errors import InputError
from reid_tf.imagenet import MEAN, STANDARD_DEVIATION
from reid_tf.layers.preprocessing import ChannelNormalization

# They call back into the process that made the graph: no file holds what they do.
_PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


@dataclasses.dataclass(frozen=True)
class Source:
    """An encoder to be exported, with what belongs to it.

    Args:
        encoder: `Encoder`, folded, of a Keras model. Its `normalize` and `calibration`
            are those of the export.
        verifier: keras.Model, or None. As in `System`.
        max_pixels: int. The most pixels of an image that a served model decodes.
        representative: sequence of dict from input name to array [1, ...]. Inputs of
            the model, of typical images, that show a quantised format the range of its
            activations.
        profile: str, or None. Whose input the files take, see `with_profile`.
    """

    encoder: Encoder
    verifier: keras.Model | None
    max_pixels: int
    representative: Sequence[Arrays] = ()
    profile: str | None = None


def encoder_module(source: Source, image_type: tf.DType) -> tf.Module:
    """Makes one graph of an encoder's model, from resized images to its outputs, in float32.

    Runtimes for small devices have no bfloat16 and hardly any float16; weights are kept
    in float32 by every policy.

    Args:
        source: `Source`.
        image_type: tf.DType of the images, whose values are 0..255; a profile has its
            own.

    Returns:
        tf.Module whose `call` is a tf.function of the inputs in the order of their
        `specs`, which name them, with the batch axis open; it returns a dict of
        outputs.
    """
    model, inputs = portable(source.encoder.model), source.encoder.inputs
    module = tf.Module(name="encoder")
    module.specs = [
        _spec(name, tensor.shape, image_type if inputs[name] == "image" else tf.float32, source.profile)
        for name, tensor in model.input.items()
    ]
    module.weights = [weight.value for weight in model.variables]  # the converters look for them here
    names = list(model.input)

    def call(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        if source.profile is None:
            return model(dict(zip(names, values, strict=True)), training=False)
        outputs = model(dict(zip(names, map(_grey_values, values), strict=True)), training=False)
        return {"embedding": outputs["embedding"]}

    module.call = tf.function(call, input_signature=module.specs, autograph=False)
    return module


def _spec(name: str, shape: Sequence[int | None], dtype: tf.DType, profile: str | None) -> tf.TensorSpec:
    if profile is None:
        return tf.TensorSpec(shape, dtype, name)
    batch, height, width, channels = shape
    return tf.TensorSpec((batch, channels, height, width), tf.float32, name)


def _grey_values(image: tf.Tensor) -> tf.Tensor:
    """Undoes what `PrescribedRuntime` does."""
    return tf.transpose(image, (0, 2, 3, 1)) * STANDARD_DEVIATION + MEAN


def portable(model: keras.Model) -> keras.Model:
    """Copies a functional model, and the models in it, with the same weights, every layer in float32.

    Its preprocessing is written for runtimes that have no fast way to repeat a
    channel's number for every pixel.
    """

    def copied(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return portable(layer)
        if not isinstance(layer, keras.layers.Layer):  # a function of keras.ops
            return layer.__class__.from_config(layer.get_config())
        kind = _NormalizationByRows if isinstance(layer, ChannelNormalization) else layer.__class__
        return kind.from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


class _NormalizationByRows(ChannelNormalization):
    """The same function, with each channel's numbers written out for a row of pixels."""

    def call(self, image: Any) -> Any:
        image = keras.ops.cast(image, "float32")
        if self.channel_order == "bgr":
            image = keras.ops.flip(image, axis=-1)
        numbers = (self.mean, self.standard_deviation)
        mean, deviation = (np.tile(np.array(values, np.float32), (image.shape[2], 1)) for values in numbers)
        return (image - mean) / deviation


def refuse_python(graph: tf.Graph, kind: str) -> None:
    """Raises an `InputError` where a graph, or a function that it calls, runs Python code, which no file can hold.

    Args:
        graph: tf.Graph.
        kind: str. The format.
    """
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    found = sorted({node.op for node in nodes} & set(_PYTHON))
    if found:
        raise lacking_operation(kind, found[0])


def lacking_operation(kind: str, operation: str) -> InputError:
    """Returns the error of a format that has no such operation."""
    return InputError(
        f"The format {kind!r} has no operation {operation!r}, which the encoder uses; take another format."
    )
