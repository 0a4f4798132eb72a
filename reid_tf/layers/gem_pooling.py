"""Generalised-mean pooling: between the average and the maximum of a feature map, as far as it learns to go."""

from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError


def generalized_mean(feature_map: Any, power: Any, epsilon: float = 1e-6) -> Any:
    """The generalised mean over the places of a feature map, channel by channel.

    With x the N values of a channel, y = (1/N sum max(x, epsilon)^p)^(1/p): p = 1 is
    the average of a map that is nowhere negative, and y comes ever nearer to the
    maximum as p grows. Negative values count as `epsilon`: the map is to come from a
    ReLU. Calculated in float32, and relative to the largest value of the channel, so
    that no power overflows whatever p has become; a map of zeros has finite gradients.

    Args:
        feature_map: float [batch, h, w, channels].
        power: float or float []. p, above 0.
        epsilon: float above 0. What smaller values are raised to: the derivative of x^p
            by p is not finite at 0.

    Returns:
        float [batch, channels], the dtype of `feature_map`.

    References:
        Radenovic, Tolias and Chum, Fine-tuning CNN Image Retrieval with No Human
        Annotation, equation 3.
    """
    values = ops.maximum(ops.cast(feature_map, "float32"), epsilon)
    power = ops.cast(power, "float32")
    # y is the same for any constant that is divided out and multiplied back, and so are its derivatives.
    largest = ops.stop_gradient(ops.max(values, axis=(1, 2), keepdims=True))
    mean = ops.mean(ops.power(values / largest, power), axis=(1, 2))  # [batch, channels], from 1 / (h w) to 1
    return ops.cast(largest[:, 0, 0] * ops.power(mean, 1.0 / power), feature_map.dtype)


@keras.saving.register_keras_serializable(package="reid_tf")
class GeneralizedMeanPooling(keras.layers.Layer):
    """`generalized_mean` as a layer that learns the power, one for all channels.

    After each of the optimizer's steps the power is raised to 1 where it has fallen
    below: beyond the average a mean would stress the dark places of a map, and at 0 it
    is not defined.

    Args:
        power: float, at least 1. Where the power begins; 3 is the paper's and the
            field's.
        epsilon: float above 0. What smaller values of a map are raised to.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        InputError: `power` is below 1, or `epsilon` is not positive.
    """

    def __init__(self, power: float = 3.0, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not power >= 1:
            raise InputError(f"power must be at least 1, which is the average. Received: power={power}.")
        if not epsilon > 0:
            raise InputError(f"epsilon must be above 0. Received: epsilon={epsilon}.")
        self.initial_power = power
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the power, a float32 of its own whatever the precision policy."""
        self.power = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_power),
            dtype="float32",
            autocast=False,
            constraint=_at_least_one,
            name="power",
        )

    def call(self, feature_map: Any) -> Any:
        """Pools.

        Args:
            feature_map: float [batch, h, w, channels].

        Returns:
            float [batch, channels].
        """
        return generalized_mean(feature_map, self.power, self.epsilon)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns (batch, channels)."""
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "power": self.initial_power, "epsilon": self.epsilon}


def _at_least_one(power: Any) -> Any:
    return ops.maximum(power, 1.0)
