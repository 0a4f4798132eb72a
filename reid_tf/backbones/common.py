"""What all backbones share: the image input, the check of its size, convolutions with batch normalisation.

The contract of a backbone
    name = function registered in `BACKBONES`: `name(image_size, *, weights=None, ...) -> keras.Model`.
    Input: "image", RGB 0..255, [batch, height, width, 3]; uint8 and float arrays give the same features.
    First layer: "preprocessing", what the weights expect. No caller normalises an image.
    Output: a feature map [batch, h, w, channels] in the compute dtype (fully connected layers are convolutions too).
    Stages: the last layer of stage i is named `stage<i>`, i = 1, 2, ... without gaps, stage 1 being the stem or the first
        convolution; nothing passes a stage by, so `backbone.get_layer("stage3").output` is all that later layers need,
        and the last stage is the output.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from reid_tf.errors import InputError

# Keras' applications and their published weights use this epsilon. Momentum 0.9 (torch's 0.1) instead of Keras' 0.99:
# the statistics of a run of a few hundred steps would otherwise still hold their initial values.
EPSILON = 1.001e-5
MOMENTUM = 0.9


def image_input(image_size: tuple[int, int], preprocessing: keras.layers.Layer, minimum: int, name: str) -> tuple[Any, Any]:
    """Begins a backbone: its input and the normalised image.

    Args:
        image_size: (height, width) in pixels.
        preprocessing: layer from RGB 0..255 to what the first convolution takes.
        minimum: int. The smallest height and width that leave a feature map.
        name: str. The backbone's name, for the error message.

    Returns:
        The `keras.Input` and the normalised image, both [batch, height, width, 3].

    Raises:
        InputError: the image is smaller than `minimum`.
    """
    height, width = image_size
    if min(height, width) < minimum:
        raise InputError(
            f"The backbone {name!r} takes images of at least {minimum} x {minimum} pixels (height x width). "
            f"Received: image_size=({height}, {width})."
        )
    image = keras.Input((height, width, 3), name="image")
    return image, preprocessing(image)


def smallest_image(output: int, windows: Sequence[tuple[int, int]]) -> int:
    """Walks unpadded windows backwards: which input gives `output` positions at the end?

    Args:
        output: int. Positions wanted behind the last window.
        windows: sequence of (kernel size, stride) of the convolutions and poolings, in the order of the data.

    Returns:
        int. The smallest input size along one axis.
    """
    size = output
    for kernel_size, stride in reversed(windows):
        size = (size - 1) * stride + kernel_size
    return size


def require_positive(value: float, option: str) -> None:
    """Raises `InputError` where a width, a count or a factor is not above 0."""
    if value <= 0:
        raise InputError(f"{option} must be above 0. Received: {option}={value}.")


def convolution_norm(
    features: Any, channels: int, kernel_size: int, *, name: str, strides: int = 1, activation: bool = True
) -> Any:
    """Convolution without bias, batch normalisation and (where wanted) ReLU.

    A strided kernel is padded alike on all sides, as in torch and in Keras' applications; Keras' own "same" pads an even
    image on the right and the bottom only, which shifts the features of published weights by a pixel.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels.
        kernel_size: int, odd.
        name: str. The layers are called `<name>_conv`, `<name>_bn`, `<name>_relu`.
        strides: int.
        activation: bool. Whether a ReLU ends it.

    Returns:
        float [batch, ceil(height / strides), ceil(width / strides), channels].
    """
    features = convolution(features, channels, kernel_size, name=name, strides=strides)
    features = normalization(f"{name}_bn")(features)
    return layers.ReLU(name=f"{name}_relu")(features) if activation else features


def convolution(features: Any, channels: int, kernel_size: int, *, name: str, strides: int = 1) -> Any:
    """The convolution of `convolution_norm`, which describes it.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels.
        kernel_size: int, odd.
        name: str. The layer is called `<name>_conv`, the padding before it `<name>_pad`.
        strides: int.

    Returns:
        float [batch, ceil(height / strides), ceil(width / strides), channels].
    """
    padding = "same"
    if strides > 1 and kernel_size > 1:
        features = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(features)
        padding = "valid"
    return layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(features)


def normalization(name: str) -> keras.layers.Layer:
    """Returns the backbones' batch normalisation."""
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)


def max_pool(features: Any, *, name: str, output_name: str) -> Any:
    """The 3x3 max pooling with stride 2 behind a 7x7 stem, padded alike on all sides.

    Args:
        features: float [batch, height, width, channels], not negative: the padding is 0.
        name: str. The padding is called `<name>_pad`.
        output_name: str. Name of the pooling.

    Returns:
        float [batch, ceil(height / 2), ceil(width / 2), channels].
    """
    features = layers.ZeroPadding2D(1, name=f"{name}_pad")(features)
    return layers.MaxPooling2D(3, 2, name=output_name)(features)
