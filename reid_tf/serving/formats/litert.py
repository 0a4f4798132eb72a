"""TensorFlow Lite files: float32, and quantised to 8 bits."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from reid_tf.errors import InputError, one_line
from reid_tf.retrieval.exported import LITERT_FILE
from reid_tf.serving.formats.source import Source, encoder_module, lacking_operation, refuse_python


def write_litert(source: Source, folder: Path) -> dict[str, Any]:
    """Writes a float32 file: uint8 [batch, height, width, 3] (and part boxes) to the encoder's outputs.

    Args:
        source: `Source`.
        folder: Path. An existing folder.

    Returns:
        Nothing that `export.json` should name.

    Raises:
        InputError: the format lacks an operation of the encoder.
    """
    module = encoder_module(source.encoder, tf.uint8)
    (folder / LITERT_FILE).write_bytes(_convert(_converter(module, "litert"), "litert"))
    return {}


def write_litert_int8(source: Source, folder: Path) -> dict[str, Any]:
    """Writes a file whose weights (a scale a channel) and activations are int8, and whose outputs are float32.

    An encoder of images alone takes them as uint8, which costs nothing: another input, such as part boxes, would become
    uint8 with it, so then all are float32, the images still 0..255. What has no int8 kernel stays in float32.

    Args:
        source: `Source` with representative inputs.
        folder: Path. An existing folder.

    Returns:
        The number of representative inputs, for `export.json`.

    Raises:
        InputError: there are no representative inputs, or the format lacks an operation of the encoder.
    """
    if not source.representative:
        raise InputError(f"An int8 export needs images to calibrate on. Received: {len(source.representative)}.")
    # The graph sees float32: the converter then puts the step from uint8 to int8 before it and knows both scales.
    converter = _converter(encoder_module(source.encoder, tf.float32), "litert-int8")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: (
        {name: values.astype(np.float32) for name, values in inputs.items()} for inputs in source.representative
    )
    if set(source.encoder.inputs.values()) == {"image"}:
        converter.inference_input_type = tf.uint8
    (folder / LITERT_FILE).write_bytes(_convert(converter, "litert-int8"))
    return {"representative_images": len(source.representative)}


def _converter(module: tf.Module, kind: str) -> Any:
    function = module.call.get_concrete_function()
    refuse_python(function.graph, kind)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], module)


def _convert(converter: Any, kind: str) -> bytes:
    try:
        with _quiet():
            return converter.convert()
    except ConverterError as error:
        lacking = re.search(r"'(?:tf\.)?(\w+)' op is neither a custom op nor a flex op", str(error))
        if lacking:
            raise lacking_operation(kind, lacking[1]) from error
        reason = one_line(error, 400).rstrip(".")
        raise InputError(f"TensorFlow Lite cannot convert this encoder to {kind!r}: {reason}.") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the converter, which is compiled code, from writing pages to the standard error."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
