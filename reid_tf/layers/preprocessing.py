"""What happens to pixels before the first convolution."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from reid_tf.errors import InputError
from reid_tf.imagenet import MEAN, STANDARD_DEVIATION

CHANNEL_ORDERS = ("rgb", "bgr")
STORED = ("mean", "standard_deviation", "is_bgr")  # names of the arrays in a weights file


@keras.saving.register_keras_serializable(package="reid_tf")
class ChannelNormalization(keras.layers.Layer):
    """Orders the colour channels, subtracts a mean and divides by a standard deviation.

    It calculates in float32 whatever the precision policy is (a half-precision grey
    value is off by up to half a level) and hands on the policy's compute dtype. It has
    no variables, but its numbers belong to the weights of the network after it: they
    are in every weights file, and whoever loads one has them. A file without leaves
    them as they are.

    Args:
        mean: 3 floats. Subtracted from each channel, in `channel_order`, on the scale
            0..255.
        standard_deviation: 3 floats above 0. Each channel's divisor, in
            `channel_order`.
        channel_order: "rgb" or "bgr". The order of the result; images come in as RGB.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        InputError: a value of the wrong length, a divisor that is not positive, or
            another channel order.
    """

    def __init__(
        self,
        mean: Sequence[float],
        standard_deviation: Sequence[float] = (1.0, 1.0, 1.0),
        channel_order: str = "rgb",
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.mean = tuple(float(value) for value in mean)
        self.standard_deviation = tuple(float(value) for value in standard_deviation)
        self.channel_order = channel_order
        if len(self.mean) != 3:
            raise InputError(f"mean must hold 3 numbers, one per colour channel. Received: mean={mean}.")
        if len(self.standard_deviation) != 3 or min(self.standard_deviation) <= 0:
            raise InputError(
                f"standard_deviation must hold 3 numbers above 0. Received: standard_deviation={standard_deviation}."
            )
        if channel_order not in CHANNEL_ORDERS:
            raise InputError(f"channel_order must be one of {CHANNEL_ORDERS}. Received: {channel_order!r}.")

    def adopt(self, other: "ChannelNormalization") -> None:
        """Takes over the numbers of another such layer: those that newly loaded weights expect.

        Args:
            other: `ChannelNormalization`.
        """
        self.mean = other.mean
        self.standard_deviation = other.standard_deviation
        self.channel_order = other.channel_order

    def save_own_variables(self, store: Any) -> None:
        """Writes the numbers into a weights file; Keras calls it."""
        values = (self.mean, self.standard_deviation, self.channel_order == "bgr")
        for name, value in zip(STORED, values, strict=True):
            store[name] = np.array(value)

    def load_own_variables(self, store: Any) -> None:
        """Takes over the numbers of a weights file, where it has them; Keras calls it."""
        if set(STORED) <= set(store.keys()):
            mean, standard_deviation, is_bgr = (np.array(store[name]).tolist() for name in STORED)
            self.adopt(ChannelNormalization(mean, standard_deviation, CHANNEL_ORDERS[int(is_bgr)]))

    def call(self, image: Any) -> Any:
        """Normalises a batch of images.

        Args:
            image: uint8 or float [batch, height, width, 3]. RGB, 0..255.

        Returns:
            [batch, height, width, 3] in the compute dtype.
        """
        image = ops.cast(image, "float32")
        if self.channel_order == "bgr":
            image = ops.flip(image, axis=-1)
        mean = ops.convert_to_tensor(self.mean, dtype="float32")
        standard_deviation = ops.convert_to_tensor(self.standard_deviation, dtype="float32")
        return ops.cast((image - mean) / standard_deviation, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the images unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "mean": self.mean,
            "standard_deviation": self.standard_deviation,
            "channel_order": self.channel_order,
        }


def imagenet_normalization() -> ChannelNormalization:
    """RGB with ImageNet's mean and standard deviation: torch-style networks and those trained from scratch."""
    return ChannelNormalization(MEAN, STANDARD_DEVIATION, name="preprocessing")


def caffe_normalization() -> ChannelNormalization:
    """BGR minus ImageNet's mean, not scaled: Caffe's networks and Keras' ImageNet weights of ResNet and VGG."""
    return ChannelNormalization((103.939, 116.779, 123.68), channel_order="bgr", name="preprocessing")


def centred_normalization() -> ChannelNormalization:
    """RGB less 127, over 128, about -1 to 1: EfficientNet-Lite's weights."""
    return ChannelNormalization((127.0,) * 3, (128.0,) * 3, name="preprocessing")


def unit_normalization() -> ChannelNormalization:
    """RGB from -1 to 1: Keras' weights of MobileNet, Inception and others that TensorFlow's authors trained."""
    return ChannelNormalization((127.5,) * 3, (127.5,) * 3, name="preprocessing")


def unchanged() -> ChannelNormalization:
    """RGB from 0 to 255 in float32: for networks whose own first layers normalise."""
    return ChannelNormalization((0.0,) * 3, dtype="float32", name="preprocessing")
