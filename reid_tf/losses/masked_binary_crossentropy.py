"""Sigmoid cross-entropy over attributes, some of which may be unknown."""

from typing import Any, Literal

import keras
from keras import ops

# A sigmoid goes down to where float32 ends, but up only to one step below 1: beyond a logit of 17 it is 1, and a false
# alarm of that confidence has lost its gradient already.
SMALLEST_PROBABILITY = 1e-30


def masked_binary_crossentropy(targets: Any, probabilities: Any) -> Any:
    """Cross-entropy summed over the known attributes of each row.

    Args:
        targets: int [..., A]. 1 where the attribute is there, 0 where it is not, -1
            where nobody knows.
        probabilities: float [..., A]. In [0, 1].

    Returns:
        float32 [...]. 0 for a row without a known attribute.

    References:
        Agrawal and Namboodiri, Joint Attribute Learning for Deep Person
        Re-Identification, section III.D.
    """
    probabilities = ops.cast(probabilities, "float32")
    of_truth = ops.where(ops.cast(targets, "int32") == 1, probabilities, 1.0 - probabilities)
    losses = -ops.log(ops.maximum(of_truth, SMALLEST_PROBABILITY))
    return ops.sum(ops.where(ops.cast(targets, "int32") >= 0, losses, 0.0), axis=-1)


@keras.saving.register_keras_serializable(package="reid_tf")
class MaskedBinaryCrossentropy(keras.losses.Loss):
    """`masked_binary_crossentropy` as a Keras loss.

    Args:
        reduction: "mean" over all images, those without labels included, so that one
            and two replicas agree and a few labelled images do not weigh more than they
            are; or "sum" over the images, as ShareNet's equation has it.
        name: str.
    """

    def __init__(self, reduction: Literal["mean", "sum"] = "mean", name: str = "masked_binary_crossentropy") -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image.

        Args:
            y_true: int [batch, A] or [batch, 2, A].
            y_pred: float [batch, A] or [batch, 2, A].

        Returns:
            float32 [batch] or [batch, 2].
        """
        return masked_binary_crossentropy(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"reduction": self.reduction, "name": self.name}
