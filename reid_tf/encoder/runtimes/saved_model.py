"""SavedModels, run by TensorFlow through their signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from reid_tf.encoder.runtimes.base import Arrays, ExportedRuntime
from reid_tf.errors import InputError, one_line


class SavedModelRuntime(ExportedRuntime):
    """Runs the signatures of a SavedModel that `reid_tf.serving` wrote.

    Args:
        folder: Path. The version folder.
        dim: int. Width of the embeddings.

    Raises:
        InputError: the SavedModel is missing or broken.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        super().__init__(dim)
        self._folder = folder
        self._signatures = {"embedding": _Signature.load(folder, "embed_image")}

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch, which has the encoder's own size already."""
        return {name: self._output(name, inputs) for name in outputs}

    def _output(self, name: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        if name == "embedding":
            return self._signatures[name](inputs)[name].numpy()
        if name not in self._signatures:
            self._signatures[name] = _Signature.load(self._folder, name)
        # This signature takes files alone; PNG keeps every pixel.
        encoded = [cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in inputs["image"]]
        return self._signatures[name]({**inputs, "image": np.array(encoded, object)})[name].numpy()


class _Signature(keras.layers.TFSMLayer):
    """A signature that takes its inputs by name."""

    @classmethod
    def load(cls, folder: Path, name: str) -> "_Signature":
        try:
            return cls(str(folder), call_endpoint=name)
        except (OSError, ValueError) as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{str(folder)!r} is not a valid SavedModel of an encoder ({reason}).") from error

    def call(self, inputs: Any) -> Any:
        return self.call_endpoint_fn(**inputs)
