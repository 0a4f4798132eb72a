"""Pairs of images through one encoder: joined before it, parted after it, joined again in outputs over both images.

pipeline  indices [B, 2] -> image_a, image_b [B, ...]
encoder   StackPairs: a_0, b_0, a_1, b_1, ... [2 B, ...] -> f [2 B, dim], one pass over both sides
heads     SplitPairs: f_a, f_b [B, dim] -> identity_a, identity_b, verification
losses    f_a and f_b as one output [B, 2, dim] -> 2 B images inside the loss (embedding, attributes)
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="reid_tf")
class StackPairs(keras.layers.Layer):
    """Puts the two images of every pair into one batch: a_0, b_0, a_1, b_1, ...

    One batch means one pass through the shared encoder and one update of its
    batch-normalisation statistics, which then describe both sides; and a batch cut in
    equal parts, one per replica, keeps every pair whole.
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
