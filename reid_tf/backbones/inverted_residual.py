"""Networks of inverted residual blocks: narrow features between blocks, a wide depthwise convolution within each."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import layers

from reid_tf.backbones.blocks import EPSILON, Padding, convolution, depthwise_convolution, normalization
from reid_tf.backbones.common import image_input, require_positive
from reid_tf.layers.preprocessing import ChannelNormalization

CHANNEL_STEP = 8


class Stack(NamedTuple):
    """Blocks of one width.

    Args:
        expansion: int. How many times as wide the depthwise convolution is as the
            block's input.
        channels: int. Output channels.
        num_blocks: int.
        strides: int. Of the first block.
        kernel_size: int. Of the depthwise convolutions.
    """

    expansion: int
    channels: int
    num_blocks: int
    strides: int
    kernel_size: int = 3


class Convolutions(NamedTuple):
    """How a network's convolutions are padded and normalised.

    Args:
        padding: "same" or "tensorflow", as in `convolution`.
        epsilon: float above 0. Added to the variances of the batch normalisations.
    """

    padding: Padding = "same"
    epsilon: float = EPSILON

    def normalized(self, features: Any, name: str, *, activation: bool = True, output_name: str | None = None) -> Any:
        """Batch normalisation, and ReLU up to 6 where wanted; `<name>_bn` and `output_name` or `<name>_relu`."""
        features = normalization(f"{name}_bn", self.epsilon)(features)
        return layers.ReLU(6.0, name=output_name or f"{name}_relu")(features) if activation else features

    def block(self, features: Any, stack: Stack, strides: int, name: str) -> Any:
        """1x1 to many channels, depthwise, 1x1 to few, the last without activation; a shortcut where shapes agree.

        Args:
            features: float [batch, height, width, any].
            stack: `Stack`.
            strides: int.
            name: str. Prefix of the layers' names.

        Returns:
            float [batch, ceil(height / strides), ceil(width / strides), stack.channels].
        """
        residual = features
        if stack.expansion > 1:
            residual = convolution(residual, stack.expansion * features.shape[-1], 1, name=f"{name}_expand")
            residual = self.normalized(residual, f"{name}_expand")
        residual = depthwise_convolution(
            residual, stack.kernel_size, strides=strides, padding=self.padding, name=f"{name}_middle"
        )
        residual = self.normalized(residual, f"{name}_middle")
        residual = convolution(residual, stack.channels, 1, name=f"{name}_project")
        residual = self.normalized(residual, f"{name}_project", activation=False)
        if strides > 1 or features.shape[-1] != stack.channels:
            return residual
        return layers.Add(name=f"{name}_add")([features, residual])


def divisible(channels: float) -> int:
    """Returns the multiple of 8 nearest to a channel count, at least 8, and not below nine tenths of it."""
    nearest = max(CHANNEL_STEP, int(channels + CHANNEL_STEP / 2) // CHANNEL_STEP * CHANNEL_STEP)
    return nearest if nearest >= 0.9 * channels else nearest + CHANNEL_STEP


def inverted_residual_network(
    image_size: tuple[int, int],
    *,
    name: str,
    stem_channels: int,
    stacks: Sequence[Stack],
    head_channels: int,
    last_stride: int,
    preprocessing: Callable[[], ChannelNormalization],
    convolutions: Convolutions,
) -> keras.Model:
    """A 3x3 stem with stride 2, stacks of inverted residual blocks and a 1x1 convolution.

    Stage 1 is the stem, then come the stacks, the last stage is the 1x1 convolution.

    Args:
        image_size: (height, width) in pixels, at least the product of all strides.
        name: str. Name of the model.
        stem_channels: int.
        stacks: `Stack`s.
        head_channels: int. Channels of the 1x1 convolution.
        last_stride: 1 or 2. Stride of the last one of the stacks that have one.
        preprocessing: function that makes the first layer.
        convolutions: `Convolutions`.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        head_channels], h and w those of the image over the product of all strides.

    Raises:
        InputError: the image is too small, or a width is not positive.

    References:
        Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks.
    """
    for channels in (stem_channels, *(stack.channels for stack in stacks), head_channels):
        require_positive(channels, "channels")
    last = max(index for index, stack in enumerate(stacks) if stack.strides > 1)
    strides = [last_stride if index == last else stack.strides for index, stack in enumerate(stacks)]
    image, features = image_input(image_size, preprocessing(), 2 * math.prod(strides), name)
    features = convolution(features, stem_channels, 3, strides=2, padding=convolutions.padding, name="conv1")
    features = convolutions.normalized(features, "conv1", output_name="stage1")
    for stage, (stack, first_stride) in enumerate(zip(stacks, strides, strict=True), start=2):
        for index in range(1, stack.num_blocks + 1):
            features = convolutions.block(
                features, stack, first_stride if index == 1 else 1, f"conv{stage}_block{index}"
            )
        features = layers.Identity(name=f"stage{stage}")(features)  # whatever ended the block
    head = len(stacks) + 2
    features = convolution(features, head_channels, 1, name=f"conv{head}")
    features = convolutions.normalized(features, f"conv{head}", output_name=f"stage{head}")
    return keras.Model(image, features, name=name)
