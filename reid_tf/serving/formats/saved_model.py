"""TensorFlow's SavedModel, which TensorFlow Serving takes into service."""

from pathlib import Path
from typing import Any

from reid_tf.serving.formats.source import Source, refuse_python
from reid_tf.serving.signatures import build_serving_module, describe_signatures, save_serving_module


def write_saved_model(source: Source, folder: Path) -> dict[str, Any]:
    """Writes a version of a served model, from image files to answers.

    Args:
        source: `Source`.
        folder: Path. An existing folder, which is empty.

    Returns:
        Inputs and outputs of its signatures, for `export.json`.

    Raises:
        InputError: the encoder runs Python code, which no server can.
    """
    encoder = source.encoder
    module = build_serving_module(
        encoder, source.verifier, encoder.calibration, encoder.normalize, max_pixels=source.max_pixels
    )
    for function in module.functions.values():
        refuse_python(function.graph, "savedmodel")
    save_serving_module(module, folder)
    return {"signatures": describe_signatures(module)}
