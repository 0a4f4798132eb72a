"""ONNX files, for ONNX Runtime and whatever else reads them."""

import logging
import re
from pathlib import Path
from typing import Any

import tensorflow as tf

from reid_tf.encoder.exported import ONNX_FILE
from reid_tf.errors import InputError, one_line
from reid_tf.serving.formats.source import Source, encoder_module, lacking_operation, refuse_python

_FORMAT = "onnx"
# Of 2022, which every runtime reads; nothing that an encoder uses is newer.
_OPSET = 17


def write_onnx(source: Source, folder: Path) -> dict[str, Any]:
    """Writes a float32 file: uint8 [batch, height, width, 3] (and part boxes) to the encoder's outputs.

    Args:
        source: `Source`.
        folder: Path. An existing folder.

    Returns:
        The type of its images and the version of the operator set, for `export.json`.

    Raises:
        InputError: tf2onnx is not installed, or the format lacks an operation of the
            encoder.
    """
    try:
        import tf2onnx
        from onnx import checker
    except ImportError as error:
        raise InputError(f"The format 'onnx' needs tf2onnx: pip install tf2onnx onnx ({error}).") from error
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it lacks comes back in the model
    module = encoder_module(source, tf.uint8)
    refuse_python(module.call.get_concrete_function().graph, _FORMAT)
    model, _ = tf2onnx.convert.from_function(module.call, input_signature=module.specs, opset=_OPSET)
    try:
        checker.check_model(model)
    except checker.ValidationError as error:
        lacking = re.search(r"No Op registered for (\w+)", str(error))
        if lacking:
            raise lacking_operation(_FORMAT, lacking[1]) from error
        raise InputError(f"The encoder cannot be converted to 'onnx': {one_line(error).rstrip('.')}.") from error
    (folder / ONNX_FILE).write_bytes(model.SerializeToString())
    return {"image_type": "uint8", "opset": _OPSET}
