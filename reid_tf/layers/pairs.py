"""Pairs of images through one encoder: stacked before it, taken apart after it.

image_a [B, ...] \\                                                  / f(a_0), f(a_1), ... [B, dim]
                  StackPairs: a_0, b_0, a_1, ... [2 B] -> encoder -> SplitPairs
image_b [B, ...] /                                                  \\ f(b_0), f(b_1), ... [B, dim]
the pipeline samples [B, 2] images and hands over both sides; an output over both images stacks them to [B, 2, ...]
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="reid_tf")
class StackPairs(keras.layers.Layer):
    """Puts the two images of every pair into one batch: a_0, b_0, a_1, b_1, ...

    One batch means one pass through the shared encoder and one update of its batch-normalisation statistics, which
    then describe both sides; and a batch cut in equal parts, one a replica, keeps every pair whole.
    """

    def call(self, a: Any, b: Any) -> Any:
        """Stacks.

        Args:
            a: tensor [batch, ...]. The first of each pair.
            b: tensor [batch, ...]. The second of each pair.

        Returns:
            tensor [2 batch, ...].
        """
        return ops.reshape(ops.stack([a, b], axis=1), (-1, *a.shape[1:]))

    def compute_output_spec(self, a: Any, b: Any) -> keras.KerasTensor:
        """The shape without running: the batch size is not known, everything else stays."""
        return keras.KerasTensor((None, *a.shape[1:]), dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="reid_tf")
class SplitPairs(keras.layers.Layer):
    """Takes apart what `StackPairs` put together."""

    def call(self, stacked: Any) -> tuple[Any, Any]:
        """Splits.

        Args:
            stacked: tensor [2 batch, ...], in the order of `StackPairs`.

        Returns:
            Two tensors [batch, ...]: the firsts and the seconds of the pairs.
        """
        pairs = ops.reshape(stacked, (-1, 2, *stacked.shape[1:]))
        return pairs[:, 0], pairs[:, 1]

    def compute_output_spec(self, stacked: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """The shapes without running."""
        one = keras.KerasTensor((None, *stacked.shape[1:]), dtype=self.compute_dtype)
        return one, keras.KerasTensor(one.shape, dtype=one.dtype)
