"""TensorFlow Lite files quantised to 8 bits."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reid_tf.encoder.exported import LITERT_FILE
from reid_tf.errors import InputError
from reid_tf.layers.gem_pooling import GeneralizedMeanPooling
from reid_tf.layers.local_response_normalization import LocalResponseNormalization
from reid_tf.serving.formats.litert import converting
from reid_tf.serving.formats.source import Source, encoder_module, refuse_python

# Powers and sums of powers need more than 256 values.
_IN_FLOAT = (GeneralizedMeanPooling, LocalResponseNormalization)
# The converter's own least scale, of a tensor that was zero in all representative images, is 2e-6 / 255.
_DEAD = 1e-8


def write_litert_int8(source: Source, folder: Path) -> dict[str, Any]:
    """Writes a file whose weights (one scale per channel) and activations are int8, and whose outputs are float32.

    Generalised means, local response normalisations and what has no int8 kernel stay in
    float32. So does a unit that no representative image activates: its range is
    unknown, and the fast kernels refuse one of zero.

    Images are uint8 where the encoder takes nothing else and all of it is quantised,
    which saves a step; else they are float32, 0..255.

    Args:
        source: `Source` with representative inputs.
        folder: Path. An existing folder.

    Returns:
        The type of its images, the number of representative inputs, and that of tensors
        which were kept in float32 on purpose, for `export.json`.

    Raises:
        InputError: there are no representative inputs, or the format lacks an operation
            of the encoder.
    """
    if not source.representative:
        raise InputError(f"An int8 export needs images to calibrate on. Received: {len(source.representative)}.")
    # The graph sees float32: the converter then puts the step from uint8 to int8 before it and knows both scales.
    module = encoder_module(source, tf.float32)
    refuse_python(module.call.get_concrete_function().graph, "litert-int8")
    images_alone = set(source.encoder.inputs.values()) == {"image"}
    with converting("litert-int8"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter's interpreter, which is deprecated
        image_type = tf.uint8 if images_alone else tf.float32
        content = _converter(module, source, image_type).convert()
        in_float = [*_operations_of(content, _layers(source.encoder.model)), *_dead_operations(content)]
        if in_float:
            image_type = tf.float32
            options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=in_float)
            quantizer = tf.lite.experimental.QuantizationDebugger(
                converter=_converter(module, source, image_type), debug_dataset=lambda: iter(()), debug_options=options
            )
            content = quantizer.get_nondebug_quantized_model()
    (folder / LITERT_FILE).write_bytes(content)
    return {
        "image_type": image_type.name,
        "representative_images": len(source.representative),
        "tensors_kept_in_float": len(in_float),
    }


def _converter(module: tf.Module, source: Source, input_type: tf.DType) -> Any:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: (
        {name: values.astype(np.float32) for name, values in inputs.items()} for inputs in source.representative
    )
    converter.inference_input_type = input_type
    return converter


def _layers(model: keras.Model) -> Iterator[str]:
    """Names of the layers that stay in float32, those of models inside included."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif isinstance(layer, _IN_FLOAT):
            yield layer.name


def _operations_of(content: bytes, layers: Iterator[str]) -> list[str]:
    """Names of the tensors that some layers compute; Keras puts the layer's name, perhaps numbered, before them."""
    names = "|".join(map(re.escape, layers))
    return [name for name, _ in _outputs(content) if names and re.search(rf"/(?:{names})(?:_\d+)?/", name)]


def _dead_operations(content: bytes) -> list[str]:
    return [name for name, scales in _outputs(content) if scales.size and scales.max() < _DEAD]


def _outputs(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Name and scales of what each operation of a file computes."""
    from ai_edge_litert.interpreter import Interpreter

    for detail in Interpreter(model_content=content).get_tensor_details():
        yield detail["name"], detail["quantization_parameters"]["scales"]
