"""TensorFlow Lite files in float32."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from reid_tf.encoder.exported import LITERT_FILE
from reid_tf.errors import InputError, one_line
from reid_tf.serving.formats.source import Source, encoder_module, lacking_operation, refuse_python


def write_litert(source: Source, folder: Path) -> dict[str, Any]:
    """Writes a float32 file: uint8 [batch, height, width, 3] (and part boxes) to the encoder's outputs.

    Args:
        source: `Source`.
        folder: Path. An existing folder.

    Returns:
        The type of its images, for `export.json`.

    Raises:
        InputError: the format lacks an operation of the encoder.
    """
    module = encoder_module(source, tf.uint8)
    function = module.call.get_concrete_function()
    refuse_python(function.graph, "litert")
    with converting("litert"):
        content = tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert()
    (folder / LITERT_FILE).write_bytes(content)
    return {"image_type": "uint8"}


@contextlib.contextmanager
def converting(kind: str) -> Iterator[None]:
    """Turns a failure of the converter in the block into an `InputError` that names what the format lacks.

    The converter is compiled code, and writes pages to the standard error: they are
    dropped.

    Args:
        kind: str. The format.
    """
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    except ConverterError as error:
        lacking = re.search(r"'(?:tf\.)?(\w+)' op is neither a custom op nor a flex op", str(error))
        if lacking:
            raise lacking_operation(kind, lacking[1]) from error
        reason = one_line(error, 400).rstrip(".")
        raise InputError(f"TensorFlow Lite cannot convert this encoder to {kind!r}: {reason}.") from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)
