"""Pieces that several backbones are made of; each is a function from features to features."""

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import layers

from reid_tf.errors import InputError
from reid_tf.layers.batch_normalization import BatchNormalization
from reid_tf.layers.depthwise_conv2d import DepthwiseConv2D
from reid_tf.layers.instance_normalization import InstanceBatchNormalization, InstanceNormalization

Padding = Literal["same", "valid", "tensorflow"]

# Keras' applications and their published weights use this epsilon. Momentum 0.9 (torch's 0.1) instead of Keras' 0.99:
# after a run of a few hundred steps the moving statistics would otherwise still hold much of their initial values.
EPSILON = 1.001e-5
MOMENTUM = 0.9


def convolution(
    features: Any,
    channels: int,
    kernel_size: int | tuple[int, int],
    *,
    name: str,
    strides: int = 1,
    padding: Padding = "same",
    use_bias: bool = False,
) -> Any:
    """A convolution that keeps the size, or divides it by the stride.

    A strided kernel is padded alike on all sides, as in torch and in Keras'
    applications; Keras' own "same" pads an even image on the right and the bottom only,
    which would shift the features of published weights. The kernel begins as Keras'
    default has it: He's larger one doubles the energy with every residual block, and an
    untrained ResNet-101, whose normalisations have seen no statistics, would leave
    float16's range.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels.
        kernel_size: int, or (height, width), odd.
        name: str. The layer is called `<name>_conv`, the padding before it
            `<name>_pad`.
        strides: int.
        padding: "same", as above; "valid", which loses the kernel's size less one
            before the stride divides; or "tensorflow", Keras' own "same", for weights
            that were trained with it.
        use_bias: bool. Whether it adds a bias, which a normalisation after it would
            take away again.

    Returns:
        float [batch, ceil(height / strides), ceil(width / strides), channels], height
        and width those that the padding leaves.
    """
    features, window = padded(features, kernel_size, strides, padding, name)
    return layers.Conv2D(
        channels,
        kernel_size,
        strides,
        window,
        use_bias=use_bias,
        name=f"{name}_conv",
    )(features)


def depthwise_convolution(
    features: Any, kernel_size: int, *, name: str, strides: int = 1, padding: Padding = "same"
) -> Any:
    """A convolution of each channel by itself, without bias.

    Its kernel begins such that the energy of a channel stays what it was, whatever
    their number; Keras' default counts all channels as inputs of each.

    Args:
        features: float [batch, height, width, channels].
        kernel_size: int, odd.
        name: str. The layer is called `<name>_depthwise`, the padding before it
            `<name>_pad`.
        strides: int.
        padding: "same", "valid" or "tensorflow", as in `convolution`.

    Returns:
        float [batch, ceil(height / strides), ceil(width / strides), channels], height
        and width those that the padding leaves.
    """
    features, window = padded(features, kernel_size, strides, padding, name)
    return DepthwiseConv2D(
        kernel_size,
        strides,
        window,
        use_bias=False,
        depthwise_initializer=keras.initializers.VarianceScaling(1.0, "fan_out"),
        name=f"{name}_depthwise",
    )(features)


def padded(
    features: Any, kernel_size: int | tuple[int, int], strides: int, padding: Padding, name: str
) -> tuple[Any, str]:
    """Pads alike on all sides where a strided convolution needs it.

    Args:
        features: float [batch, height, width, channels].
        kernel_size: int, or (height, width), odd.
        strides: int.
        padding: "same", "valid" or "tensorflow", as in `convolution`.
        name: str. The padding is called `<name>_pad`.

    Returns:
        The features, padded or not, and Keras' word for what the convolution is to pad
        itself.
    """
    if padding == "same" and strides > 1 and kernel_size != 1:
        rows, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        return layers.ZeroPadding2D((rows // 2, columns // 2), name=f"{name}_pad")(features), "valid"
    return features, "valid" if padding == "valid" else "same"


def normalization(name: str, epsilon: float = EPSILON) -> keras.layers.Layer:
    """Returns the backbones' batch normalisation."""
    return BatchNormalization(momentum=MOMENTUM, epsilon=epsilon, name=name)


def instance_normalization(name: str) -> keras.layers.Layer:
    """Returns the normalisation of each image by itself."""
    return InstanceNormalization(epsilon=EPSILON, name=name)


def instance_batch_normalization(name: str) -> keras.layers.Layer:
    """Returns the normalisation of one half of the channels image by image, of the other half over the batch."""
    return InstanceBatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)


def convolution_norm(
    features: Any,
    channels: int,
    kernel_size: int | tuple[int, int],
    *,
    name: str,
    strides: int = 1,
    padding: Padding = "same",
    activation: bool = True,
    batch_normalization: bool = True,
    norm: Callable[[str], keras.layers.Layer] = normalization,
    output_name: str | None = None,
) -> Any:
    """Convolution without bias, normalisation and (where wanted) ReLU.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels.
        kernel_size: int, or (height, width), odd.
        name: str. The layers are called `<name>_conv`, `<name>_bn`, `<name>_relu`.
        strides: int.
        padding: "same", "valid" or "tensorflow", as in `convolution`.
        activation: bool. Whether a ReLU ends it.
        batch_normalization: bool. False leaves the normalisation out, and the
            convolution has a bias instead.
        norm: function from a name to the normalisation.
        output_name: str or None. Another name for the ReLU.

    Returns:
        float [batch, ceil(height / strides), ceil(width / strides), channels], height
        and width those that the padding leaves.
    """
    use_bias = not batch_normalization
    features = convolution(
        features, channels, kernel_size, name=name, strides=strides, padding=padding, use_bias=use_bias
    )
    if batch_normalization:
        features = norm(f"{name}_bn")(features)
    return layers.ReLU(name=output_name or f"{name}_relu")(features) if activation else features


def max_pool(features: Any, *, name: str, output_name: str) -> Any:
    """The 3x3 max pooling with stride 2 after a 7x7 stem, padded alike on all sides.

    Args:
        features: float [batch, height, width, channels], not negative: the padding is
            0.
        name: str. The padding is called `<name>_pad`.
        output_name: str. Name of the pooling.

    Returns:
        float [batch, ceil(height / 2), ceil(width / 2), channels].
    """
    features = layers.ZeroPadding2D(1, name=f"{name}_pad")(features)
    return layers.MaxPooling2D(3, 2, name=output_name)(features)


def projection(features: Any, channels: int, strides: int, name: str) -> Any:
    """The shortcut of a residual block: nothing where the shapes agree, else a 1x1 convolution with normalisation.

    Args:
        features: float [batch, height, width, any].
        channels: int. Channels of the residual.
        strides: int. Stride of the residual.
        name: str. The layers are called `<name>_0_conv` and `<name>_0_bn`.

    Returns:
        float [batch, ceil(height / strides), ceil(width / strides), channels].
    """
    if strides == 1 and features.shape[-1] == channels:
        return features
    return convolution_norm(features, channels, 1, strides=strides, name=f"{name}_0", activation=False)


def residual_sum(
    shortcut: Any,
    residual: Any,
    *,
    name: str,
    output_name: str,
    norm: Callable[[str], keras.layers.Layer] | None = None,
) -> Any:
    """Ends a residual block.

    Args:
        shortcut: float [batch, height, width, channels].
        residual: float, of the same shape.
        name: str. The sum is called `<name>_add`, the normalisation `<name>_norm`.
        output_name: str. Name of the ReLU.
        norm: function from a name to what normalises the sum, or None.

    Returns:
        float [batch, height, width, channels].
    """
    total = layers.Add(name=f"{name}_add")([shortcut, residual])
    return layers.ReLU(name=output_name)(total if norm is None else norm(f"{name}_norm")(total))


def fully_connected_stages(
    features: Any, channels: int, map_size: int, dropout: float, kernel_initializer: Any, bias: float
) -> Any:
    """fc6 and fc7 as convolutions, each with ReLU and dropout, as stages 6 and 7.

    Args:
        features: float [batch, height, width, any], height and width at least
            `map_size`.
        channels: int. Channels of both.
        map_size: int. Height and width of the map that fc6 covers at the network's own
            image size.
        dropout: float in [0, 1).
        kernel_initializer: Keras initializer, or its name.
        bias: float. Initial bias.

    Returns:
        float [batch, height - map_size + 1, width - map_size + 1, channels].

    Raises:
        InputError: `dropout` is out of range.
    """
    if not 0 <= dropout < 1:
        raise InputError(f"dropout must be at least 0 and below 1. Received: dropout={dropout}.")
    for stage, kernel_size in ((6, map_size), (7, 1)):
        features = layers.Conv2D(
            channels,
            kernel_size,
            activation="relu",
            kernel_initializer=keras.initializers.get(kernel_initializer).clone(),
            bias_initializer=keras.initializers.Constant(bias),
            name=f"fc{stage}",
        )(features)
        features = layers.Dropout(dropout, name=f"stage{stage}")(features)
    return features
