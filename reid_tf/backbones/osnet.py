"""OSNet: omni-scale features from depthwise convolutions, for re-identification on small machines."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from reid_tf.backbones.blocks import (
    convolution,
    convolution_norm,
    depthwise_convolution,
    max_pool,
    normalization,
    projection,
    residual_sum,
)
from reid_tf.backbones.common import image_input
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.registry import BACKBONES

NUM_STREAMS = 4
GATE_REDUCTION = 16


class AggregationGate:
    """Weighs the channels of a stream by what the whole image shows; one gate judges all streams of a block.

    Args:
        channels: int. Channels of a stream.
        name: str. Prefix of the layers' names.
    """

    def __init__(self, channels: int, name: str) -> None:
        self._name = name
        self._pool = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")
        self._squeeze = layers.Dense(max(1, channels // GATE_REDUCTION), activation="relu", name=f"{name}_squeeze")
        self._excite = layers.Dense(channels, activation="sigmoid", name=f"{name}_excite")

    def __call__(self, stream: Any, index: int) -> Any:
        """Returns the stream [batch, height, width, channels] times its gate [batch, 1, 1, channels]."""
        gate = self._excite(self._squeeze(self._pool(stream)))
        return layers.Multiply(name=f"{self._name}_stream{index}")([stream, gate])


def lite_convolution(features: Any, channels: int, name: str) -> Any:
    """The factorised 3x3 convolution: a linear 1x1, then a depthwise 3x3, batch normalisation and ReLU.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels.
        name: str. Prefix of the layers' names.

    Returns:
        float [batch, height, width, channels].
    """
    features = convolution(features, channels, 1, name=f"{name}_pointwise")
    features = depthwise_convolution(features, 3, name=name)
    return layers.ReLU(name=f"{name}_relu")(normalization(f"{name}_bn")(features))


def omni_scale_block(features: Any, channels: int, *, name: str, output_name: str) -> Any:
    """Streams of 1 to 4 lite convolutions, gated by one shared gate and summed, with a shortcut.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels; the streams have a quarter.
        name: str. Prefix of the layers' names.
        output_name: str. Name of the last activation.

    Returns:
        float [batch, height, width, channels].
    """
    bottleneck = channels // 4
    gate = AggregationGate(bottleneck, f"{name}_gate")
    reduced = convolution_norm(features, bottleneck, 1, name=f"{name}_reduce")
    gated = []
    for length in range(1, NUM_STREAMS + 1):
        stream = reduced
        for index in range(1, length + 1):
            stream = lite_convolution(stream, bottleneck, f"{name}_stream{length}_lite{index}")
        gated.append(gate(stream, length))
    residual = layers.Add(name=f"{name}_aggregate")(gated)
    residual = convolution_norm(residual, channels, 1, name=f"{name}_expand", activation=False)
    return residual_sum(projection(features, channels, 1, name), residual, name=name, output_name=output_name)


def osnet(
    image_size: tuple[int, int],
    *,
    name: str,
    stackwise_channels: Sequence[int],
    stackwise_num_blocks: Sequence[int] = (2, 2, 2),
) -> keras.Model:
    """A 7x7 stem, stacks of omni-scale blocks and a 1x1 convolution; the stacks but the last end in an average pooling.

    Stage 1 is the stem, then come the stacks, the last stage is the 1x1 convolution.

    Args:
        image_size: (height, width) in pixels, at least 16 x 16.
        name: str. Name of the model.
        stackwise_channels: ints. Channels of the stem and of each stack; multiples of 4
            after the stem.
        stackwise_num_blocks: ints. Blocks per stack, one number less than channels.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        channels of the last stack].

    Raises:
        InputError: the image is too small.

    References:
        Zhou et al., Omni-Scale Feature Learning for Person Re-Identification, ICCV
        2019.
    """
    minimum = 4 * 2 ** (len(stackwise_num_blocks) - 1)
    image, features = image_input(image_size, imagenet_normalization(), minimum, name)
    features = convolution_norm(features, stackwise_channels[0], 7, strides=2, name="conv1")
    features = max_pool(features, name="pool1", output_name="stage1")
    stacks = zip(stackwise_channels[1:], stackwise_num_blocks, strict=True)
    last_stage = len(stackwise_num_blocks) + 1
    for stage, (channels, num_blocks) in enumerate(stacks, start=2):
        for index in range(1, num_blocks + 1):
            block = f"conv{stage}_block{index}"
            is_end = stage == last_stage and index == num_blocks
            features = omni_scale_block(
                features, channels, name=block, output_name=f"stage{stage}" if is_end else f"{block}_out"
            )
        if stage < last_stage:
            features = convolution_norm(features, channels, 1, name=f"conv{stage}_transition")
            features = layers.AveragePooling2D(2, name=f"stage{stage}")(features)
    features = convolution_norm(
        features, stackwise_channels[-1], 1, name=f"conv{last_stage + 1}", output_name=f"stage{last_stage + 1}"
    )
    return keras.Model(image, features, name=name)


@BACKBONES.register("osnet_x1_0")
def osnet_x1_0(image_size: tuple[int, int], *, weights: str | None = None) -> keras.Model:
    """OSNet at its full width, 512 channels.

    Args:
        image_size: (height, width) in pixels, at least 16 x 16.
        weights: None, "imagenet" (torchreid's), or the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        16, width / 16, 512].

    Raises:
        InputError: the image is too small, or the weights cannot be had or do not fit.
    """
    return load_weights(osnet(image_size, name="osnet_x1_0", stackwise_channels=(64, 256, 384, 512)), weights)


@BACKBONES.register("osnet_x0_75")
def osnet_x0_75(image_size: tuple[int, int], *, weights: str | None = None) -> keras.Model:
    """OSNet at three quarters of its width, 384 channels.

    Args:
        image_size: (height, width) in pixels, at least 16 x 16.
        weights: None, "imagenet" (torchreid's), or the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        16, width / 16, 384].

    Raises:
        InputError: the image is too small, or the weights cannot be had or do not fit.
    """
    return load_weights(osnet(image_size, name="osnet_x0_75", stackwise_channels=(48, 192, 288, 384)), weights)


@BACKBONES.register("osnet_x0_5")
def osnet_x0_5(image_size: tuple[int, int], *, weights: str | None = None) -> keras.Model:
    """OSNet at half of its width, 256 channels.

    Args:
        image_size: (height, width) in pixels, at least 16 x 16.
        weights: None, "imagenet" (torchreid's), or the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        16, width / 16, 256].

    Raises:
        InputError: the image is too small, or the weights cannot be had or do not fit.
    """
    return load_weights(osnet(image_size, name="osnet_x0_5", stackwise_channels=(32, 128, 192, 256)), weights)


@BACKBONES.register("osnet_x0_25")
def osnet_x0_25(image_size: tuple[int, int], *, weights: str | None = None) -> keras.Model:
    """OSNet at a quarter of its width, 128 channels.

    Args:
        image_size: (height, width) in pixels, at least 16 x 16.
        weights: None, "imagenet" (torchreid's), or the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        16, width / 16, 128].

    Raises:
        InputError: the image is too small, or the weights cannot be had or do not fit.
    """
    return load_weights(osnet(image_size, name="osnet_x0_25", stackwise_channels=(16, 64, 96, 128)), weights)
