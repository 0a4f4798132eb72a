"""Normalisation of each image by itself, alone and on half of the channels: less of a camera's colours gets through."""

from typing import Any

import keras
from keras import ops

from reid_tf.layers.batch_normalization import BatchNormalization


def instance_normalization(features: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Gives every channel of every image mean 0 and variance 1, then scales and shifts it.

    Calculated in float32: the square of half-precision features is soon out of range.

    Args:
        features: float [batch, height, width, channels].
        gamma: float [channels]. Scale.
        beta: float [channels]. Shift.
        epsilon: float above 0. Added to the variance.

    Returns:
        float [batch, height, width, channels], the dtype of `features`.

    References:
        Ulyanov et al., Instance Normalization: The Missing Ingredient for Fast
        Stylization, equation 2.
    """
    values = ops.cast(features, "float32")
    mean, variance = ops.moments(values, axes=(1, 2), keepdims=True)  # [batch, 1, 1, channels]
    scale = ops.cast(gamma, "float32") * ops.rsqrt(variance + epsilon)
    return ops.cast((values - mean) * scale + ops.cast(beta, "float32"), features.dtype)


@keras.saving.register_keras_serializable(package="reid_tf")
class InstanceNormalization(keras.layers.Layer):
    """`instance_normalization` with a scale and a shift that are learnt; the same in training and afterwards.

    Args:
        epsilon: float above 0. Added to the variance.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes scale and shift, one number per channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", autocast=False, name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="beta")

    def call(self, features: Any) -> Any:
        """Normalises.

        Args:
            features: float [batch, height, width, channels].

        Returns:
            float [batch, height, width, channels].
        """
        return instance_normalization(features, self.gamma, self.beta, self.epsilon)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the features unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="reid_tf")
class InstanceBatchNormalization(keras.layers.Layer):
    """Instance normalisation of the first half of the channels, batch normalisation of the second.

    Args:
        momentum: float in [0, 1). Of the batch normalisation's moving statistics.
        epsilon: float above 0. Added to the variances.
        **kwargs: arguments of `keras.layers.Layer`.

    References:
        Pan et al., Two at Once: Enhancing Learning and Generalization Capacities via
        IBN-Net, figure 3 a.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.instance = InstanceNormalization(epsilon, dtype=self.dtype_policy, name="instance")
        self.batch = BatchNormalization(momentum=momentum, epsilon=epsilon, dtype=self.dtype_policy, name="batch")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds both for their halves; of an odd number of channels, the batch normalisation has the larger."""
        others, channels = input_shape[:-1], int(input_shape[-1] or 0)
        self.instance.build((*others, channels // 2))
        self.batch.build((*others, channels - channels // 2))

    def call(self, features: Any, training: bool | None = None) -> Any:
        """Normalises.

        Args:
            features: float [batch, height, width, channels].
            training: bool or None. Whether the batch's own statistics count.

        Returns:
            float [batch, height, width, channels].
        """
        half = features.shape[-1] // 2
        parts = [self.instance(features[..., :half]), self.batch(features[..., half:], training=training)]
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the features unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}
