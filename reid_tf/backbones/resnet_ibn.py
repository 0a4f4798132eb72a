"""Residual networks that normalise early features image by image too: IBN-Net's, at home on cameras never seen."""

import functools
from typing import Literal

import keras

from reid_tf.backbones.resnet import basic_block, bottleneck_block, four_stacks
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES


@BACKBONES.register("resnet50_ibn_a")
def resnet50_ibn_a(
    image_size: tuple[int, int],
    *,
    width: Count = 64,
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-50-IBN-a: in three stacks, half of the channels after each first convolution are normalised per image.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width: int. Channels of the stem and of the first stack's 3x3 convolutions.
        last_stride: 1 or 2. Stride of the last stack.
        weights: None, "imagenet" (the authors'; `width=64`), or the path of a
            `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 32 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights
            cannot be had or do not fit.

    References:
        Pan et al., Two at Once: Enhancing Learning and Generalization Capacities via
        IBN-Net, section 3.2.
    """
    model = four_stacks(
        image_size,
        name="resnet50_ibn_a",
        block=functools.partial(bottleneck_block, stride_on="3x3"),
        stackwise_num_blocks=(3, 4, 6, 3),
        width=width,
        last_stride=last_stride,
        preprocessing=imagenet_normalization(),
        stackwise_instance=("a", "a", "a", None),
    )
    return load_weights(model, weights, options={"width": width})


@BACKBONES.register("resnet18_ibn_b")
def resnet18_ibn_b(
    image_size: tuple[int, int],
    *,
    width: Count = 64,
    last_stride: Literal[1, 2] = 2,
    weights: str | None = None,
) -> keras.Model:
    """ResNet-18-IBN-b: the stem and the ends of the first two stacks are normalised per image.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width: int. Channels of the stem and of the first stack.
        last_stride: 1 or 2. Stride of the last stack.
        weights: None, "imagenet" (the authors'; `width=64`), or the path of a
            `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 8 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights
            cannot be had or do not fit.

    References:
        Pan et al., Two at Once: Enhancing Learning and Generalization Capacities via
        IBN-Net, section 3.2.
    """
    model = four_stacks(
        image_size,
        name="resnet18_ibn_b",
        block=basic_block,
        stackwise_num_blocks=(2, 2, 2, 2),
        width=width,
        last_stride=last_stride,
        preprocessing=imagenet_normalization(),
        stackwise_instance=("b", "b", None, None),
    )
    return load_weights(model, weights, options={"width": width})
