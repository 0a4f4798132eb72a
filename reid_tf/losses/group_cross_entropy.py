"""Softmax cross-entropy of attribute groups, some of whose labels may be unknown."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from reid_tf.losses.cross_entropy import cross_entropy


def group_cross_entropy(classes: Any, probabilities: Any, group_sizes: Sequence[int]) -> Any:
    """Cross-entropy summed over the groups whose class is known.

    Args:
        classes: int [batch, groups]. Class index within each group, -1 where nobody
            knows.
        probabilities: float [batch, sum of sizes]. One softmax per group, side by side.
        group_sizes: ints [groups]. Classes of each group.

    Returns:
        float32 [batch]. 0 for a row without a known class.

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, section 3.3.
    """
    total = 0.0
    start = 0
    for group, size in enumerate(group_sizes):
        known = classes[:, group] >= 0
        losses = cross_entropy(ops.maximum(classes[:, group], 0), probabilities[:, start : start + size])
        total = total + ops.where(known, losses, 0.0)
        start += size
    return total


@keras.saving.register_keras_serializable(package="reid_tf")
class GroupCrossEntropy(keras.losses.Loss):
    """`group_cross_entropy` as a Keras loss, the mean over all images of the batch, unlabelled ones included.

    Args:
        group_sizes: ints [groups]. Classes of each group.
        name: str.
    """

    def __init__(self, group_sizes: Sequence[int], name: str = "group_cross_entropy") -> None:
        super().__init__(name=name, dtype="float32")
        self.group_sizes = tuple(group_sizes)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image.

        Args:
            y_true: int [batch, groups].
            y_pred: float [batch, sum of sizes].

        Returns:
            float32 [batch].
        """
        return group_cross_entropy(ops.cast(y_true, "int32"), y_pred, self.group_sizes)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"group_sizes": list(self.group_sizes), "name": self.name}
