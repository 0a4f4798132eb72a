"""Attribute re-weighting: how far each predicted attribute is to be trusted, learned from all of them."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="reid_tf")
class AttributeReweighting(keras.layers.Layer):
    """Multiplies each predicted probability by a learned confidence, a = sigmoid(V a~ + b) * a~.

    The confidence of one attribute depends on all predictions: a dress, say, makes
    "female" more credible.

    References:
        Lin et al., Improving Person Re-identification by Attribute and Identity
        Learning, section 3.3; Lorenzini, Luchetta and Planchenstainer, Deep Learning
        Classification and Re-Identification of People, equations 2 and 3.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes V and b for the width of the input."""
        self.confidence = keras.layers.Dense(
            input_shape[-1], activation="sigmoid", dtype=self.dtype_policy, name="confidence"
        )
        self.confidence.build(input_shape)

    def call(self, predictions: Any) -> Any:
        """Re-weights.

        Args:
            predictions: float [batch, A]. In [0, 1].

        Returns:
            float [batch, A], each between 0 and its prediction.
        """
        return ops.multiply(self.confidence(predictions), predictions)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape
