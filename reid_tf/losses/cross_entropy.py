"""Cross-entropy of softmax outputs against class indices, with label smoothing."""

from typing import Any, Literal

import keras
from keras import ops

from reid_tf.errors import InputError
from reid_tf.losses.class_head import of_true_class

# The smallest probability whose logarithm is taken. Keras' own loss clips at 1e-7, where the gradient of a confident
# mistake vanishes; a float32 softmax goes much lower, so this floor is met only where the probability underflows.
SMALLEST_PROBABILITY = 1e-30


def cross_entropy(classes: Any, probabilities: Any, label_smoothing: float = 0.0) -> Any:
    """Cross-entropy of predicted probabilities, one value per row.

    With smoothing e, the target is (1 - e) at the true class plus e / K at each of the
    K classes.

    Args:
        classes: int [batch]. The true class of each row.
        probabilities: float [batch, K]. Rows that sum to 1.
        label_smoothing: float in [0, 1). Share of the target that is spread over all
            classes.

    Returns:
        float32 [batch].

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, equations 2 and 4;
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision,
        section 7 (smoothing).
    """
    log_probabilities = ops.log(ops.maximum(ops.cast(probabilities, "float32"), SMALLEST_PROBABILITY))
    true_class = of_true_class(ops.reshape(classes, (-1,)), log_probabilities)
    if label_smoothing == 0.0:
        return -true_class
    return -(1.0 - label_smoothing) * true_class - label_smoothing * ops.mean(log_probabilities, axis=-1)


@keras.saving.register_keras_serializable(package="reid_tf")
class CrossEntropy(keras.losses.Loss):
    """`cross_entropy` as a Keras loss.

    Args:
        label_smoothing: float in [0, 1). 0 = one-hot targets, as the papers have it.
        reduction: "mean" over the batch, or "sum".
        name: str.

    Raises:
        InputError: `label_smoothing` is outside its range.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        name: str = "cross_entropy",
    ) -> None:
        # float32 whatever the policy: a half-precision loss would cast the class indices too and merge identities.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if not 0.0 <= label_smoothing < 1.0:
            raise InputError(f"label_smoothing must be in [0, 1). Received: {label_smoothing}.")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row.

        Args:
            y_true: int [batch] or [batch, 1].
            y_pred: float [batch, K].

        Returns:
            float32 [batch].
        """
        return cross_entropy(y_true, y_pred, self.label_smoothing)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"label_smoothing": self.label_smoothing, "reduction": self.reduction, "name": self.name}
