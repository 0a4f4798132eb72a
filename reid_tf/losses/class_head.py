"""Metric losses that compare an embedding with a learnt vector for each training person."""

from typing import Any

import keras
from keras import ops


class ClassHeadLoss(keras.losses.Loss):
    """A loss whose layer of class vectors a model puts between its embedding and the loss.

    Args:
        name: str.
    """

    label = "identity"
    head_layer: type[keras.layers.Layer]

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="float32")

    def head(self, num_identities: int) -> keras.layers.Layer:
        """Returns the layer from an embedding [..., dim] to what the loss takes, [..., num_identities]."""
        return self.head_layer(num_identities, name=f"{self.name}_classes")


def of_true_class(classes: Any, values: Any) -> Any:
    """Picks from each row the value of its class.

    Args:
        classes: int [...].
        values: float [..., classes].

    Returns:
        float [...].
    """
    index = ops.cast(classes, "int32")[..., None]
    return ops.squeeze(ops.take_along_axis(values, index, axis=-1), axis=-1)
