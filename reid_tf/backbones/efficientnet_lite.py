"""EfficientNet-Lite: EfficientNets of operations that small machines have, without gates and with ReLU up to 6."""

import math
from typing import Literal

import keras

from reid_tf.backbones.common import first_stages, require_positive
from reid_tf.backbones.inverted_residual import Convolutions, Stack, divisible, inverted_residual_network
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import centred_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES

STACKS = (
    Stack(1, 16, 1, 1),
    Stack(6, 24, 2, 2),
    Stack(6, 40, 2, 2, kernel_size=5),
    Stack(6, 80, 3, 2),
    Stack(6, 112, 3, 1, kernel_size=5),
    Stack(6, 192, 4, 2, kernel_size=5),
    Stack(6, 320, 1, 1),
)
# TensorFlow's: the weights were trained there.
CONVOLUTIONS = Convolutions(padding="tensorflow", epsilon=1e-3)


def efficientnet_lite(
    image_size: tuple[int, int],
    *,
    name: str,
    width: float,
    depth: float,
    width_multiplier: float,
    last_stride: int,
    stages: int | None,
    weights: str | None,
) -> keras.Model:
    """EfficientNet-B0's stacks without gates, widened and deepened; the stem, and how deep the ends are, stay.

    Args:
        image_size: (height, width) in pixels.
        name: str. Name of the model.
        width: float. The published factor of the channels.
        depth: float. The published factor of the blocks per stack, but the first and
            the last.
        width_multiplier: float above 0. Times all channels besides.
        last_stride: 1 or 2. Stride of the last stack that has one.
        stages: int or None. How many stages are kept, see `first_stages`; None keeps
            all 9.
        weights: None, "imagenet", or the path of a weights file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 1280 * width_multiplier].

    Raises:
        InputError: the image is too small, `width_multiplier` is not positive, there
            are not so many stages, or the weights cannot be had or do not fit.

    References:
        Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural
        Networks; the Lite forms are the authors', in TensorFlow's repository of TPU
        models.
    """
    require_positive(width_multiplier, "width_multiplier")
    ends = (0, len(STACKS) - 1)
    stacks = [
        stack._replace(
            channels=divisible(stack.channels * width * width_multiplier),
            num_blocks=stack.num_blocks if index in ends else math.ceil(stack.num_blocks * depth),
        )
        for index, stack in enumerate(STACKS)
    ]
    model = inverted_residual_network(
        image_size,
        name=name,
        stem_channels=divisible(32 * width_multiplier),
        stacks=stacks,
        head_channels=divisible(1280 * width_multiplier),
        last_stride=last_stride,
        preprocessing=centred_normalization,
        convolutions=CONVOLUTIONS,
    )
    model = load_weights(model, weights, options={"width_multiplier": width_multiplier})
    return first_stages(model, stages)


@BACKBONES.register("efficientnet_lite0")
def efficientnet_lite0(
    image_size: tuple[int, int],
    *,
    width_multiplier: float = 1.0,
    last_stride: Literal[1, 2] = 2,
    stages: Count | None = None,
    weights: str | None = None,
) -> keras.Model:
    """EfficientNet-Lite0, the smallest; its ImageNet weights were trained on 224 x 224.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width_multiplier: float above 0. Times the channels, to multiples of 8.
        last_stride: 1 or 2. Stride of the last stack that has one.
        stages: int or None. How many stages are kept, see `first_stages`; None keeps
            all 9.
        weights: None, "imagenet" (`width_multiplier=1.0`), or the path of a
            `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 1280 * width_multiplier].

    Raises:
        InputError: the image is too small, `width_multiplier` is not positive, there
            are not so many stages, or the weights cannot be had or do not fit.
    """
    return efficientnet_lite(
        image_size,
        name="efficientnet_lite0",
        width=1.0,
        depth=1.0,
        width_multiplier=width_multiplier,
        last_stride=last_stride,
        stages=stages,
        weights=weights,
    )


@BACKBONES.register("efficientnet_lite1")
def efficientnet_lite1(
    image_size: tuple[int, int],
    *,
    width_multiplier: float = 1.0,
    last_stride: Literal[1, 2] = 2,
    stages: Count | None = None,
    weights: str | None = None,
) -> keras.Model:
    """EfficientNet-Lite1, a tenth deeper; its ImageNet weights were trained on 240 x 240.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width_multiplier: float above 0. Times the channels, to multiples of 8.
        last_stride: 1 or 2. Stride of the last stack that has one.
        stages: int or None. How many stages are kept, see `first_stages`; None keeps
            all 9.
        weights: None, "imagenet" (`width_multiplier=1.0`), or the path of a
            `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 1280 * width_multiplier].

    Raises:
        InputError: the image is too small, `width_multiplier` is not positive, there
            are not so many stages, or the weights cannot be had or do not fit.
    """
    return efficientnet_lite(
        image_size,
        name="efficientnet_lite1",
        width=1.0,
        depth=1.1,
        width_multiplier=width_multiplier,
        last_stride=last_stride,
        stages=stages,
        weights=weights,
    )


@BACKBONES.register("efficientnet_lite2")
def efficientnet_lite2(
    image_size: tuple[int, int],
    *,
    width_multiplier: float = 1.0,
    last_stride: Literal[1, 2] = 2,
    stages: Count | None = None,
    weights: str | None = None,
) -> keras.Model:
    """EfficientNet-Lite2, a tenth wider and a fifth deeper; its ImageNet weights were trained on 260 x 260.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width_multiplier: float above 0. Times the channels, to multiples of 8.
        last_stride: 1 or 2. Stride of the last stack that has one.
        stages: int or None. How many stages are kept, see `first_stages`; None keeps
            all 9.
        weights: None, "imagenet" (`width_multiplier=1.0`), or the path of a
            `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 1280 * width_multiplier].

    Raises:
        InputError: the image is too small, `width_multiplier` is not positive, there
            are not so many stages, or the weights cannot be had or do not fit.
    """
    return efficientnet_lite(
        image_size,
        name="efficientnet_lite2",
        width=1.1,
        depth=1.2,
        width_multiplier=width_multiplier,
        last_stride=last_stride,
        stages=stages,
        weights=weights,
    )
