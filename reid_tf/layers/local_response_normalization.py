"""AlexNet's normalisation over neighbouring channels."""

from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError


def local_response_normalization(
    features: Any, window: int = 5, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Any:
    """Divides each value by a power of the energy in the channels around it.

    With the sum over the `window` channels centred on channel c (fewer at the edges),
    y_c = x_c / (bias + alpha / window * sum x^2) ^ beta. Calculated in float32: the
    squares of CaffeNet's activations leave float16's range.

    Args:
        features: float [..., channels].
        window: int. Channels in the sum, an odd number.
        alpha: float. Weight of the mean square (Caffe's convention; TensorFlow's alpha
            is alpha / window).
        beta: float. Exponent.
        bias: float above 0. Added to the energy.

    Returns:
        float [..., channels], the dtype of `features`.

    References:
        Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep
        Convolutional Neural Networks, section 3.3.
    """
    values = ops.cast(features, "float32")
    channels = values.shape[-1]
    reach = window // 2
    padding = [(0, 0)] * (len(values.shape) - 1) + [(reach, reach)]
    squares = ops.pad(ops.square(values), padding)
    energy = sum(squares[..., offset : offset + channels] for offset in range(window))
    scale = ops.power(bias + alpha / window * energy, -beta)
    return ops.cast(values * scale, features.dtype)


@keras.saving.register_keras_serializable(package="reid_tf")
class LocalResponseNormalization(keras.layers.Layer):
    """`local_response_normalization` as a layer; the defaults are CaffeNet's.

    Args:
        window: int. Channels in the sum, an odd number.
        alpha: float. Weight of the mean square.
        beta: float. Exponent.
        bias: float above 0. Added to the energy.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        InputError: `window` is even or below 1, or `bias` is not positive.
    """

    def __init__(
        self, window: int = 5, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if window < 1 or window % 2 == 0:
            raise InputError(f"window must be an odd number of channels. Received: window={window}.")
        if bias <= 0:
            raise InputError(f"bias must be above 0, or a dark image divides by zero. Received: bias={bias}.")
        self.window = window
        self.alpha = alpha
        self.beta = beta
        self.bias = bias

    def call(self, features: Any) -> Any:
        """Normalises.

        Args:
            features: float [..., channels].

        Returns:
            float [..., channels].
        """
        return local_response_normalization(features, self.window, self.alpha, self.beta, self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the features unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "window": self.window,
            "alpha": self.alpha,
            "beta": self.beta,
            "bias": self.bias,
        }
