"""A Keras model as the runtime of an encoder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from reid_tf.backbones.folding import fold_normalization
from reid_tf.encoder.runtimes.base import Arrays, Runtime, Shape
from reid_tf.progress import is_watched


class KerasRuntime(Runtime):
    """Runs a Keras model, which may go on training.

    Args:
        model: keras.Model from named inputs to a dict of named outputs.
        identity: str, or None for that of the model as it is at the time.
    """

    def __init__(self, model: keras.Model, identity: str | None = None) -> None:
        super().__init__(identity)
        self.model = model
        self._of_any_number = False
        model.jit_compile = False  # XLA, which Keras takes on a GPU, compiles anew for every number of images

    @property
    def identity(self) -> str | None:
        """A hash of the network, as it is or as it was before it was folded; None where a layer cannot be described."""
        return self._identity or model_identity(self.model)

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shape of each input."""
        return {name: tuple(tensor.shape) for name, tensor in self.model.input.items()}

    @property
    def output_widths(self) -> Mapping[str, int]:
        """The width of each output."""
        return {name: tensor.shape[-1] for name, tensor in self.model.output.items()}

    def folded(self) -> "KerasRuntime":
        """Returns a copy without its batch normalisations, see `fold_normalization`."""
        return KerasRuntime(fold_normalization(self.model), self.identity)

    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        found = self.model.predict_on_batch(dict(inputs))  # compiled, unlike a plain call
        if not self._of_any_number:
            # It is compiled for the first number of images, and for any number at the second: both now, not in use.
            more = {name: np.repeat(values[:1], len(values) + 1, axis=0) for name, values in inputs.items()}
            self.model.predict_on_batch(more)
            self._of_any_number = True
        return {name: found[name] for name in outputs}

    def _run_over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches of a tf.data.Dataset, on all replicas of the model."""
        found = self.model.predict(batches, verbose=int(bool(verbose) and is_watched()))
        return {name: found[name] for name in outputs}


def model_identity(model: keras.Model) -> str | None:
    """Hashes what a model computes: its layers with their options and calls, and its weights.

    Whether a layer would be trained is left out, which changes no output.

    Args:
        model: keras.Model, functional or sequential; models inside it count too.

    Returns:
        16 hexadecimal digits, of SHA-256; None where a layer does not say its options.
    """
    try:
        config = json.dumps(_without_trainable(model.get_config()), sort_keys=True)
    except (NotImplementedError, TypeError):  # a layer of a user's own, which could not be saved either
        return None
    digest = hashlib.sha256(config.encode())
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight.value)
        digest.update(f"{values.dtype} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def _without_trainable(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_trainable(value) for key, value in config.items() if key != "trainable"}
    return [_without_trainable(value) for value in config] if isinstance(config, list | tuple) else config
