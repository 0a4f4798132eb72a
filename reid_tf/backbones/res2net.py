"""Res2Net: residual networks whose 3x3 convolution is a hierarchy of small ones, so that one block sees many scales."""

import functools
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers, ops

from reid_tf.backbones.blocks import convolution_norm, projection, residual_sum
from reid_tf.backbones.common import require_positive
from reid_tf.backbones.resnet import Stem, four_stacks
from reid_tf.backbones.weights.load import load_weights
from reid_tf.errors import InputError
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES

RESNET_WIDTH = 64  # the width of a ResNet-50, which `group_width` refers to: "26w x 4s"


def res2net_block(
    features: Any, channels: int, *, strides: int, name: str, output_name: str, group_width: int, scale: int
) -> Any:
    """A bottleneck block with a hierarchy of 3x3 convolutions between its two 1x1 convolutions.

    The channels are divided into `scale` groups. Each group but the last goes through a
    3x3 convolution, and what comes out is added to the next group before that one's.
    The last group passes untouched. The block that begins a stack (the one with a
    projection in its shortcut) leaves the additions out and average-pools the last
    group.

    Args:
        features: float [batch, height, width, any].
        channels: int. What the 3x3 convolution of a ResNet would have here; the output
            has four times as many.
        strides: int.
        name: str. Prefix of the layers' names; group g has `<name>_2_<g>_conv`.
        output_name: str. Name of the last activation.
        group_width: int. Channels of a group where `channels` is 64; elsewhere in
            proportion, rounded down.
        scale: int, at least 2. Groups.

    Returns:
        float [batch, height / strides, width / strides, 4 * channels].

    References:
        Gao et al., Res2Net: A New Multi-scale Backbone Architecture, equation 1.
    """
    begins_stack = strides != 1 or features.shape[-1] != 4 * channels
    width = max(1, channels * group_width // RESNET_WIDTH)
    residual = convolution_norm(features, scale * width, 1, name=f"{name}_1")
    *convolved, last = ops.split(residual, scale, axis=-1)
    outputs: list[Any] = []
    for index, group in enumerate(convolved, start=1):
        if outputs and not begins_stack:
            group = layers.Add(name=f"{name}_2_{index}_sum")([group, outputs[-1]])
        outputs.append(convolution_norm(group, width, 3, strides=strides, name=f"{name}_2_{index}"))
    if begins_stack:
        padded = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(last)  # the zeros count in the mean, as in torch
        last = layers.AveragePooling2D(3, strides, name=f"{name}_2_pool")(padded)
    residual = layers.Concatenate(name=f"{name}_2_concat")([*outputs, last])
    residual = convolution_norm(residual, 4 * channels, 1, name=f"{name}_3", activation=False)
    shortcut = projection(features, 4 * channels, strides, name)
    return residual_sum(shortcut, residual, name=name, output_name=output_name)


def res2net(
    image_size: tuple[int, int],
    *,
    name: str,
    stackwise_num_blocks: Sequence[int],
    width: int,
    group_width: int,
    scale: int,
    stem: Stem,
    last_stride: int,
) -> keras.Model:
    """A ResNet of four stacks with Res2Net blocks; stage 1 is the stem, stage i + 1 the stack i.

    Args:
        image_size: (height, width) in pixels, at least the product of all strides.
        name: str. Name of the model.
        stackwise_num_blocks: 4 ints. Blocks per stack.
        width: int. Channels of the stem, and of the first stack's blocks before they
            are widened; 64 as published.
        group_width: int. Channels of a group at 64 channels, see `res2net_block`.
        scale: int, at least 2. Groups of a block.
        stem: "imagenet" or "light", see `resnet`.
        last_stride: 1 or 2. Stride of the last stack.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w, 32 *
        width].

    Raises:
        InputError: the image is too small, a count or width is not positive, or `scale`
            is below 2.

    References:
        Gao et al., Res2Net: A New Multi-scale Backbone Architecture (IEEE TPAMI 2021).
    """
    require_positive(group_width, "group_width")
    if scale < 2:
        raise InputError(f"scale must be at least 2: with one group a Res2Net is a ResNet. Received: scale={scale}.")
    return four_stacks(
        image_size,
        name=name,
        block=functools.partial(res2net_block, group_width=group_width, scale=scale),
        stackwise_num_blocks=stackwise_num_blocks,
        width=width,
        stem=stem,
        last_stride=last_stride,
        preprocessing=imagenet_normalization(),
    )


@BACKBONES.register("res2net50")
def res2net50(
    image_size: tuple[int, int],
    *,
    width: Count = RESNET_WIDTH,
    group_width: Count = 26,
    scale: Count = 4,
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """Res2Net-50, 32 * width channels, 2048 as published; 26w x 4s has the cost of a ResNet-50.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width: int. Channels of the stem, and of the first stack before they are
            widened.
        group_width: int. Channels of a group where `width` is 64. Published beside 26w
            x 4s: 48w x 2s, 14w x 8s, 26w x 6s, 26w x 8s.
        scale: int, at least 2. Groups of a block.
        last_stride: 1 or 2. Stride of the last stack; 1 doubles the map, a common
            choice in re-identification.
        weights: None, "imagenet" (the authors'; `width=64`, 26w x 4s), or the path of
            a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, an option is out of range, or the weights
            cannot be had or do not fit.
    """
    model = res2net(
        image_size,
        name="res2net50",
        stackwise_num_blocks=(3, 4, 6, 3),
        width=width,
        group_width=group_width,
        scale=scale,
        stem="imagenet",
        last_stride=last_stride,
    )
    return load_weights(model, weights, options={"width": width, "group_width": group_width, "scale": scale})


@BACKBONES.register("res2net101")
def res2net101(
    image_size: tuple[int, int],
    *,
    width: Count = RESNET_WIDTH,
    group_width: Count = 26,
    scale: Count = 4,
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """Res2Net-101, 32 * width channels, 2048 as published.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width: int. Channels of the stem, and of the first stack before they are
            widened.
        group_width: int. Channels of a group where `width` is 64.
        scale: int, at least 2. Groups of a block.
        last_stride: 1 or 2. Stride of the last stack.
        weights: None, "imagenet" (the authors'; `width=64`, 26w x 4s), or the path of
            a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, an option is out of range, or the weights
            cannot be had or do not fit.
    """
    model = res2net(
        image_size,
        name="res2net101",
        stackwise_num_blocks=(3, 4, 23, 3),
        width=width,
        group_width=group_width,
        scale=scale,
        stem="imagenet",
        last_stride=last_stride,
    )
    return load_weights(model, weights, options={"width": width, "group_width": group_width, "scale": scale})


@BACKBONES.register("res2net26")
def res2net26(
    image_size: tuple[int, int],
    *,
    width: Count = RESNET_WIDTH,
    group_width: Count = 26,
    scale: Count = 4,
    stem: Stem = "imagenet",
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """Res2Net-26, two blocks per stack, 32 * width channels; narrow and with the light stem for small crops.

    Args:
        image_size: (height, width) in pixels, at least the total stride: 32 x 32, or 16
            x 16 with the light stem.
        width: int. Channels of the stem, and of the first stack before they are
            widened.
        group_width: int. Channels of a group where `width` is 64; narrower in
            proportion.
        scale: int, at least 2. Groups of a block.
        stem: "imagenet" (7x7 with stride 2 and max pooling) or "light" (3x3 with stride
            2, no pooling).
        last_stride: 1 or 2. Stride of the last stack.
        weights: None, or the path of a `.weights.h5` file; none is published.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, an option is out of range, or the weights do
            not fit.
    """
    model = res2net(
        image_size,
        name="res2net26",
        stackwise_num_blocks=(2, 2, 2, 2),
        width=width,
        group_width=group_width,
        scale=scale,
        stem=stem,
        last_stride=last_stride,
    )
    return load_weights(model, weights)
