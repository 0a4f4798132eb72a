"""MobileNetV2: the first network of inverted residual blocks."""

from typing import Literal

import keras

from reid_tf.backbones.common import first_stages, require_positive
from reid_tf.backbones.inverted_residual import Convolutions, Stack, divisible, inverted_residual_network
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES

STACKS = (
    Stack(1, 16, 1, 1),
    Stack(6, 24, 2, 2),
    Stack(6, 32, 3, 2),
    Stack(6, 64, 4, 2),
    Stack(6, 96, 3, 1),
    Stack(6, 160, 3, 2),
    Stack(6, 320, 1, 1),
)


@BACKBONES.register("mobilenet_v2")
def mobilenet_v2(
    image_size: tuple[int, int],
    *,
    width_multiplier: float = 1.0,
    last_stride: Literal[1, 2] = 2,
    stages: Count | None = None,
    weights: str | None = None,
) -> keras.Model:
    """MobileNetV2 up to its 1x1 convolution, 1280 channels.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32 (16 x 16 with
            `last_stride=1`).
        width_multiplier: float above 0. Times the channels, to multiples of 8; the 1x1
            convolution has 1280 where it is below 1, as published.
        last_stride: 1 or 2. Stride of the last stack that has one.
        stages: int or None. How many stages are kept, see `first_stages`; None keeps
            all 9.
        weights: None, "imagenet" (`width_multiplier=1.0`), or the path of a
            `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        32, width / 32, 1280].

    Raises:
        InputError: the image is too small, `width_multiplier` is not positive, there
            are not so many stages, or the weights cannot be had or do not fit.

    References:
        Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, table 2.
    """
    require_positive(width_multiplier, "width_multiplier")
    model = inverted_residual_network(
        image_size,
        name="mobilenet_v2",
        stem_channels=divisible(32 * width_multiplier),
        stacks=[stack._replace(channels=divisible(stack.channels * width_multiplier)) for stack in STACKS],
        head_channels=divisible(1280 * max(1.0, width_multiplier)),
        last_stride=last_stride,
        preprocessing=imagenet_normalization,
        convolutions=Convolutions(epsilon=1e-5),
    )
    model = load_weights(model, weights, options={"width_multiplier": width_multiplier})
    return first_stages(model, stages)
