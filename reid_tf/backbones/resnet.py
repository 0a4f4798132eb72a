"""Residual networks: He et al.'s with basic and with bottleneck blocks, and light ones for small crops."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import layers

from reid_tf.backbones.blocks import (
    convolution_norm,
    instance_batch_normalization,
    instance_normalization,
    max_pool,
    normalization,
    projection,
    residual_sum,
)
from reid_tf.backbones.common import image_input, require_positive
from reid_tf.backbones.weights.load import PublishedWeights, load_weights
from reid_tf.layers.preprocessing import ChannelNormalization, caffe_normalization, imagenet_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES

Stem = Literal["imagenet", "light"]
StrideOn = Literal["1x1", "3x3"]
# How a block normalises image by image (Pan et al.): "a" one half of the channels after its first convolution,
# "b" all of them after the sum.
Instance = Literal["a", "b"]


def basic_block(
    features: Any, channels: int, *, strides: int, name: str, output_name: str, instance: Instance | None = None
) -> Any:
    """Two 3x3 convolutions and a shortcut.

    Args:
        features: float [batch, height, width, any].
        channels: int. Output channels.
        strides: int. Stride of the first convolution.
        name: str. Prefix of the layers' names.
        output_name: str. Name of the last activation.
        instance: "a", "b" or None. Where it normalises image by image.

    Returns:
        float [batch, height / strides, width / strides, channels].
    """
    first_norm, last_norm = _norms(instance)
    residual = convolution_norm(features, channels, 3, strides=strides, norm=first_norm, name=f"{name}_1")
    residual = convolution_norm(residual, channels, 3, name=f"{name}_2", activation=False)
    shortcut = projection(features, channels, strides, name)
    return residual_sum(shortcut, residual, norm=last_norm, name=name, output_name=output_name)


def bottleneck_block(
    features: Any,
    channels: int,
    *,
    strides: int,
    name: str,
    output_name: str,
    stride_on: StrideOn = "1x1",
    instance: Instance | None = None,
) -> Any:
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the output is four times as wide as the 3x3.

    Args:
        features: float [batch, height, width, any].
        channels: int. Channels of the 3x3 convolution.
        strides: int.
        name: str. Prefix of the layers' names.
        output_name: str. Name of the last activation.
        stride_on: "1x1" (He et al., Keras' weights) or "3x3" (torchvision, Goyal et
            al.). Which convolution strides.
        instance: "a", "b" or None. Where it normalises image by image.

    Returns:
        float [batch, height / strides, width / strides, 4 * channels].
    """
    first, second = (strides, 1) if stride_on == "1x1" else (1, strides)
    first_norm, last_norm = _norms(instance)
    residual = convolution_norm(features, channels, 1, strides=first, norm=first_norm, name=f"{name}_1")
    residual = convolution_norm(residual, channels, 3, strides=second, name=f"{name}_2")
    residual = convolution_norm(residual, 4 * channels, 1, name=f"{name}_3", activation=False)
    shortcut = projection(features, 4 * channels, strides, name)
    return residual_sum(shortcut, residual, norm=last_norm, name=name, output_name=output_name)


def _norms(instance: Instance | None) -> tuple[Callable[[str], Any], Callable[[str], Any] | None]:
    """What normalises after a block's first convolution, and after its sum."""
    return (
        instance_batch_normalization if instance == "a" else normalization,
        instance_normalization if instance == "b" else None,
    )


def resnet(
    image_size: tuple[int, int],
    *,
    name: str,
    block: Callable[..., Any],
    stackwise_channels: Sequence[int],
    stackwise_num_blocks: Sequence[int],
    stackwise_strides: Sequence[int],
    stem: Stem,
    stem_channels: int,
    preprocessing: ChannelNormalization,
    stackwise_instance: Sequence[Instance | None] = (),
) -> keras.Model:
    """A stem and stacks of residual blocks; stage 1 is the stem, stage i + 1 the stack i.

    Args:
        image_size: (height, width) in pixels, at least the product of all strides.
        name: str. Name of the model.
        block: function as `basic_block`.
        stackwise_channels: ints. What `block` takes as channels, per stack.
        stackwise_num_blocks: ints. Blocks per stack.
        stackwise_strides: ints. Stride of the first block of each stack.
        stem: "imagenet" (7x7 with stride 2, 3x3 max pooling with stride 2) or "light"
            (3x3 with stride 2), which keeps more of a crop of 128x64 pixels.
        stem_channels: int. Channels of the stem.
        preprocessing: the first layer.
        stackwise_instance: how each stack normalises image by image: "a" in all of its
            blocks, "b" at its end, and after the stem where the first stack does; None
            and an empty sequence are batch normalisation throughout.

    Returns:
        keras.Model from image [batch, height, width, 3] to the last stack's features.

    Raises:
        InputError: the image is too small, or a count of channels or blocks is not
            positive.

    References:
        He et al., Deep Residual Learning for Image Recognition; Pan et al., Two at
        Once: Enhancing Learning and Generalization Capacities via IBN-Net.
    """
    instances = stackwise_instance or [None] * len(stackwise_channels)
    stem_norm = instance_normalization if instances[0] == "b" else normalization
    for channels, num_blocks in zip(stackwise_channels, stackwise_num_blocks, strict=True):
        require_positive(channels, "stackwise_channels")
        require_positive(num_blocks, "stackwise_num_blocks")
    minimum = (4 if stem == "imagenet" else 2) * math.prod(stackwise_strides)
    image, features = image_input(image_size, preprocessing, minimum, name)
    if stem == "imagenet":
        features = convolution_norm(features, stem_channels, 7, strides=2, norm=stem_norm, name="conv1")
        features = max_pool(features, name="pool1", output_name="stage1")
    else:
        features = convolution_norm(
            features, stem_channels, 3, strides=2, norm=stem_norm, name="conv1", output_name="stage1"
        )
    stacks = zip(stackwise_channels, stackwise_num_blocks, stackwise_strides, instances, strict=True)
    for stage, (channels, num_blocks, strides, instance) in enumerate(stacks, start=2):
        for index in range(1, num_blocks + 1):
            normalised = {"instance": instance} if instance == "a" or (instance and index == num_blocks) else {}
            features = block(
                features,
                channels,
                strides=strides if index == 1 else 1,
                name=f"conv{stage}_block{index}",
                output_name=f"stage{stage}" if index == num_blocks else f"conv{stage}_block{index}_out",
                **normalised,
            )
    return keras.Model(image, features, name=name)


def four_stacks(
    image_size: tuple[int, int],
    *,
    name: str,
    block: Callable[..., Any],
    stackwise_num_blocks: Sequence[int],
    width: int = 64,
    stem: Stem = "imagenet",
    last_stride: int = 2,
    preprocessing: ChannelNormalization,
    stackwise_instance: Sequence[Instance | None] = (),
) -> keras.Model:
    """The published form of residual networks: four stacks, each twice as wide as the one before, of half its map.

    Args:
        image_size: (height, width) in pixels, at least the product of all strides.
        name: str. Name of the model.
        block: function as `basic_block`.
        stackwise_num_blocks: 4 ints. Blocks per stack.
        width: int. Channels of the stem and of the first stack's blocks, before they
            are widened; 64 as published.
        stem: "imagenet" or "light", see `resnet`.
        last_stride: 1 or 2. Stride of the last stack.
        preprocessing: the first layer.
        stackwise_instance: as in `resnet`.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w, 8 *
        width], or four times as many where the block widens.

    Raises:
        InputError: the image is too small, or a width or count of blocks is not
            positive.
    """
    require_positive(width, "width")
    return resnet(
        image_size,
        name=name,
        block=block,
        stackwise_channels=[width * factor for factor in (1, 2, 4, 8)],
        stackwise_num_blocks=stackwise_num_blocks,
        stackwise_strides=(1, 2, 2, last_stride),
        stem=stem,
        stem_channels=width,
        preprocessing=preprocessing,
        stackwise_instance=stackwise_instance,
    )


def convert_keras_resnet(source: keras.Model, model: keras.Model) -> None:
    """Copies the weights of a ResNet of `keras.applications` into our network, whose layers bear the same names.

    Keras' convolutions have biases in front of a batch normalisation; subtracting them
    from its moving mean is the same function.

    Args:
        source: keras.Model of `keras.applications`.
        model: keras.Model made by `resnet` with bottleneck blocks.
    """
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, bias = source.get_layer(layer.name).get_weights()
            norm_name = layer.name.removesuffix("_conv") + "_bn"
            gamma, beta, moving_mean, moving_variance = source.get_layer(norm_name).get_weights()
            layer.set_weights([kernel])
            model.get_layer(norm_name).set_weights([gamma, beta, moving_mean - bias, moving_variance])


KERAS_RESNET50 = PublishedWeights(
    application=keras.applications.ResNet50,
    convert=convert_keras_resnet,
)
KERAS_RESNET101 = PublishedWeights(
    application=keras.applications.ResNet101,
    convert=convert_keras_resnet,
)


def bottleneck_resnet(
    image_size: tuple[int, int],
    *,
    name: str,
    stackwise_num_blocks: Sequence[int],
    width: int,
    last_stride: int,
    stride_on: StrideOn,
    weights: str | None,
    published: PublishedWeights,
) -> keras.Model:
    """He et al.'s deep networks, with Keras' weights where width and strides agree with theirs.

    Args:
        image_size: (height, width) in pixels.
        name: str. Name of the model.
        stackwise_num_blocks: 4 ints. Bottleneck blocks per stack.
        width: int. Channels of the stem and of the first stack's 3x3 convolutions.
        last_stride: 1 or 2. Stride of the last stack.
        stride_on: "1x1" or "3x3". Which convolution of a block strides.
        weights: None, "imagenet", or the path of a weights file.
        published: `PublishedWeights` for `stride_on="1x1"`.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights
            cannot be had or do not fit.
    """
    keras_style = stride_on == "1x1"
    model = four_stacks(
        image_size,
        name=name,
        block=functools.partial(bottleneck_block, stride_on=stride_on),
        stackwise_num_blocks=stackwise_num_blocks,
        width=width,
        last_stride=last_stride,
        preprocessing=caffe_normalization() if keras_style else imagenet_normalization(),
    )
    options = {"width": width, "stride_on": stride_on}
    return load_weights(model, weights, published if keras_style else None, options)


@BACKBONES.register("resnet50")
def resnet50(
    image_size: tuple[int, int],
    *,
    width: Count = 64,
    last_stride: Literal[1, 2] = 2,
    stride_on: StrideOn = "1x1",
    weights: str | None = None,
) -> keras.Model:
    """ResNet-50, 32 * width channels: 2048 as published.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width: int. Channels of the stem and of the first stack's 3x3 convolutions.
        last_stride: 1 or 2. Stride of the last stack; 1 doubles the map, a common
            choice in re-identification.
        stride_on: "1x1" (He et al., Keras' weights, BGR input) or "3x3" (torchvision,
            RGB input).
        weights: None, "imagenet" (`width=64`), or the path of a weights file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights
            cannot be had or do not fit.
    """
    return bottleneck_resnet(
        image_size,
        name="resnet50",
        stackwise_num_blocks=(3, 4, 6, 3),
        width=width,
        last_stride=last_stride,
        stride_on=stride_on,
        weights=weights,
        published=KERAS_RESNET50,
    )


@BACKBONES.register("resnet101")
def resnet101(
    image_size: tuple[int, int],
    *,
    width: Count = 64,
    last_stride: Literal[1, 2] = 2,
    stride_on: StrideOn = "1x1",
    weights: str | None = None,
) -> keras.Model:
    """ResNet-101, 32 * width channels: 2048 as published.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width: int. Channels of the stem and of the first stack's 3x3 convolutions.
        last_stride: 1 or 2. Stride of the last stack.
        stride_on: "1x1" (He et al., Keras' weights, BGR input) or "3x3" (torchvision,
            RGB input).
        weights: None, "imagenet" (`width=64`), or the path of a weights file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights
            cannot be had or do not fit.
    """
    return bottleneck_resnet(
        image_size,
        name="resnet101",
        stackwise_num_blocks=(3, 4, 23, 3),
        width=width,
        last_stride=last_stride,
        stride_on=stride_on,
        weights=weights,
        published=KERAS_RESNET101,
    )


@BACKBONES.register("resnet18")
def resnet18(
    image_size: tuple[int, int],
    *,
    width: Count = 64,
    stem: Stem = "imagenet",
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-18, 8 * width channels; with `width=32, stem="light"` a workhorse for 128x64 crops without a GPU.

    Args:
        image_size: (height, width) in pixels, at least the total stride: 32 x 32, or 16
            x 16 with the light stem.
        width: int. Channels of the stem and of the first stack.
        stem: "imagenet" (7x7 with stride 2 and max pooling) or "light" (3x3 with stride
            2, no pooling).
        last_stride: 1 or 2. Stride of the last stack.
        weights: None, "imagenet" (torchvision's; `width=64`, `stem="imagenet"`), or the
            path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 8 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights
            cannot be had or do not fit.
    """
    model = four_stacks(
        image_size,
        name="resnet18",
        block=basic_block,
        stackwise_num_blocks=(2, 2, 2, 2),
        width=width,
        stem=stem,
        last_stride=last_stride,
        preprocessing=imagenet_normalization(),
    )
    return load_weights(model, weights, options={"width": width, "stem": stem})


@BACKBONES.register("resnet26")
def resnet26(
    image_size: tuple[int, int],
    *,
    width: Count = 64,
    stem: Stem = "imagenet",
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-26, two bottleneck blocks per stack, 32 * width channels: the plain peer of `res2net26`.

    Args:
        image_size: (height, width) in pixels, at least the total stride: 32 x 32, or 16
            x 16 with the light stem.
        width: int. Channels of the stem and of the first stack's 3x3 convolutions.
        stem: "imagenet" (7x7 with stride 2 and max pooling) or "light" (3x3 with stride
            2, no pooling).
        last_stride: 1 or 2. Stride of the last stack.
        weights: None, or the path of a `.weights.h5` file; none is published.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights do
            not fit.
    """
    model = four_stacks(
        image_size,
        name="resnet26",
        block=functools.partial(bottleneck_block, stride_on="3x3"),
        stackwise_num_blocks=(2, 2, 2, 2),
        width=width,
        stem=stem,
        last_stride=last_stride,
        preprocessing=imagenet_normalization(),
    )
    return load_weights(model, weights)
