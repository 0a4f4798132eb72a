"""The square layer, which compares two embeddings."""

from typing import Any

import keras
from keras import ops


def square_difference(features_a: Any, features_b: Any) -> Any:
    """Square layer: the element-wise squared difference of two embeddings.

    Args:
        features_a: float [batch, dim]. Embedding of the first image of each pair.
        features_b: float [batch, dim]. Embedding of the second image.

    Returns:
        float [batch, dim], the same dtype as the inputs.

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, section 2.3.
    """
    return ops.square(features_a - features_b)


@keras.saving.register_keras_serializable(package="reid_tf")
class SquareDifference(keras.layers.Layer):
    """`square_difference` as a layer."""

    def call(self, features_a: Any, features_b: Any) -> Any:
        """Compares.

        Args:
            features_a: float [batch, dim].
            features_b: float [batch, dim].

        Returns:
            float [batch, dim].
        """
        return square_difference(features_a, features_b)
