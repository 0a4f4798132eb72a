"""Layers that compare an embedding with one learnt vector for each class."""

from typing import Any

import keras
from keras import ops


class _ClassVectors(keras.layers.Layer):
    """Holds a vector for each class; calculates in float32, in which near cosines and distances still differ."""

    def __init__(self, num_classes: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_classes = num_classes
        self._initializer = initializer

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the vectors [classes, dim]."""
        shape = (self.num_classes, input_shape[-1])
        self.vectors = self.add_weight(shape=shape, initializer=self._initializer, name="vectors")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns (..., classes)."""
        return (*input_shape[:-1], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_classes": self.num_classes}


@keras.saving.register_keras_serializable(package="reid_tf")
class CosineClassifier(_ClassVectors):
    """The cosine of the angle between an embedding and the vector of each class.

    Args:
        num_classes: int.
        **kwargs: arguments of `keras.layers.Layer`.

    References:
        Wang et al., NormFace: L2 Hypersphere Embedding for Face Verification, section
        3.2.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, "glorot_uniform", **kwargs)

    def call(self, embeddings: Any) -> Any:
        """Compares.

        Args:
            embeddings: float [..., dim].

        Returns:
            float32 [..., classes], from -1 to 1.
        """
        vectors = ops.transpose(ops.normalize(self.vectors, axis=-1))
        return ops.matmul(ops.normalize(embeddings, axis=-1), vectors)


@keras.saving.register_keras_serializable(package="reid_tf")
class CentreDistances(_ClassVectors):
    """The squared Euclidean distance of an embedding to the centre of each class; centres begin at the origin.

    Args:
        num_classes: int.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(num_classes, "zeros", **kwargs)

    def call(self, embeddings: Any) -> Any:
        """Measures.

        Args:
            embeddings: float [..., dim].

        Returns:
            float32 [..., classes], not negative.
        """
        squares = ops.sum(ops.square(embeddings), axis=-1, keepdims=True)  # [..., 1]
        centre_squares = ops.sum(ops.square(self.vectors), axis=-1)  # [classes]
        products = ops.matmul(embeddings, ops.transpose(self.vectors))
        return ops.maximum(squares + centre_squares - 2.0 * products, 0.0)
