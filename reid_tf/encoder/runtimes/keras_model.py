"""A Keras model as the runtime of an encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from reid_tf.backbones.folding import fold_normalization
from reid_tf.encoder.runtimes.base import Arrays, Runtime
from reid_tf.progress import is_watched


class KerasRuntime(Runtime):
    """Runs a Keras model, which may go on training.

    Args:
        model: keras.Model from named inputs to a dict of named outputs.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._of_any_number = False
        model.jit_compile = False  # XLA, which Keras takes on a GPU, compiles anew for every number of images

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self.model.output["embedding"].shape[-1]

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch.

        Args:
            inputs: mapping from input name to array [batch, ...].
            outputs: sequence of str. The outputs wanted.

        Returns:
            dict from output to float32 [batch, ...].
        """
        found = self.model.predict_on_batch(dict(inputs))  # compiled, unlike a plain call
        if not self._of_any_number:
            # It is compiled for the first number of images, and for any number at the second: both now, not in use.
            more = {name: np.repeat(values[:1], len(values) + 1, axis=0) for name, values in inputs.items()}
            self.model.predict_on_batch(more)
            self._of_any_number = True
        return {name: found[name] for name in outputs}

    def over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches of a data set, on all replicas of the model.

        Args:
            batches: tf.data.Dataset of dict from input name to tensor.
            outputs: sequence of str. The outputs wanted.
            verbose: int. 1 shows a progress bar, 0 nothing.

        Returns:
            dict from output to float32 [N, ...].
        """
        found = self.model.predict(batches, verbose=int(bool(verbose) and is_watched()))
        return {name: found[name] for name in outputs}

    def folded(self) -> "KerasRuntime":
        """Returns a copy without its batch normalisations, see `fold_normalization`."""
        return KerasRuntime(fold_normalization(self.model))
