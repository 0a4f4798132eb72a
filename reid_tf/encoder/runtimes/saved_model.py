"""SavedModels, run by TensorFlow through their signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from reid_tf.encoder.runtimes.base import Arrays, ExportedRuntime, Shape
from reid_tf.encoder.runtimes.operations import check_operations
from reid_tf.errors import InputError, one_line

_NEEDED = ("embed_image", "serving_default")


class SavedModelRuntime(ExportedRuntime):
    """Runs the signatures of a SavedModel that `reid_tf.serving` wrote.

    Args:
        folder: Path. The version folder.
        identity: str, or None. As in `Runtime`.
        flips: bool. As in `Runtime`.

    Raises:
        InputError: the SavedModel is missing, broken or can do more than calculate, see
            `check_operations`.
    """

    def __init__(self, folder: Path, identity: str | None = None, flips: bool = False) -> None:
        super().__init__(identity, flips)
        self._model = open_saved_model(folder)  # it holds the weights that the signatures use
        self._signatures = self._model.signatures

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shape of each input; images may have any size."""
        inputs = self._signatures["embed_image"].structured_input_signature[1]
        return {name: tuple(spec.shape) for name, spec in inputs.items()}

    @property
    def output_widths(self) -> Mapping[str, int]:
        """The width of each output."""
        signatures = {"embedding": "embed_image", "attributes": "attributes"}
        return {
            output: int(self._signatures[name].structured_outputs[output].shape[-1])
            for output, name in signatures.items()
            if name in self._signatures
        }

    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch, which has the encoder's own size already."""
        return {name: self._output(name, inputs) for name in outputs}

    def _output(self, name: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        if name == "embedding":
            return _called(self._signatures["embed_image"], inputs)[name].numpy()
        # This signature takes files alone; PNG keeps every pixel.
        encoded = [cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in inputs["image"]]
        return _called(self._signatures[name], {**inputs, "image": np.array(encoded, object)})[name].numpy()


def open_saved_model(folder: Path) -> Any:
    """Opens the SavedModel of an encoder.

    Args:
        folder: Path. The version folder.

    Returns:
        What `tf.saved_model.load` gives.

    Raises:
        InputError: the SavedModel is missing, broken or no encoder's, or can do more
            than calculate.
    """
    check_operations(folder)
    try:
        model = tf.saved_model.load(str(folder))
        for name in _NEEDED:
            model.signatures[name]
    except Exception as error:  # of a damaged file it can be anything
        reason = one_line(error).rstrip(".")
        raise InputError(f"{str(folder)!r} is not a valid SavedModel of an encoder ({reason}).") from error
    return model


def _called(signature: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
    """What a signature answers; it takes its inputs by name."""
    return signature(**{name: tf.constant(values) for name, values in inputs.items()})
