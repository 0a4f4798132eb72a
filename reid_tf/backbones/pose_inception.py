"""The pose-guided network's backbone: the Inception-v3 family, cut to the shape of a standing person."""

import dataclasses
from typing import Any

import keras
from keras import layers

from reid_tf.backbones.blocks import convolution_norm
from reid_tf.backbones.common import image_input, require_positive, scaled, smallest_image
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.registry import BACKBONES

Tower = tuple[tuple[int, tuple[int, int]], ...]  # (channels, kernel) of each convolution, in the order of the data


@dataclasses.dataclass(frozen=True)
class Module:
    """What is side by side in a module, and is concatenated at its end.

    Args:
        towers: tuple of towers of convolutions.
        pooled: int, or None. Channels of the 1x1 convolution after the average pooling;
            None for a module that halves the map: the last convolution of each tower
            has stride 2, and a max pooling is beside them.
    """

    towers: tuple[Tower, ...]
    pooled: int | None


def _square(single: int, five: tuple[int, int], double_three: tuple[int, int], pooled: int) -> Module:
    """1x1 | 1x1-5x5 | 1x1-3x3-3x3 | average pool-1x1; 1x1 convolutions reduce, then the last number applies."""
    return Module(
        (
            ((single, (1, 1)),),
            ((five[0], (1, 1)), (five[1], (5, 5))),
            ((double_three[0], (1, 1)), (double_three[1], (3, 3)), (double_three[1], (3, 3))),
        ),
        pooled,
    )


def _factorised(inner: int, outer: int) -> Module:
    """1x1 | 1x1-1x7-7x1 | 1x1-7x1-1x7-7x1-1x7 | average pool-1x1, `outer` channels each."""
    row, column = (1, 7), (7, 1)
    return Module(
        (
            ((outer, (1, 1)),),
            ((inner, (1, 1)), (inner, row), (outer, column)),
            ((inner, (1, 1)), (inner, column), (inner, row), (inner, column), (outer, row)),
        ),
        outer,
    )


# The channels of the towers are not printed. They are those of Inception-v3's modules, which add up to what is printed:
# 35x35, third of three, for conv3 and conv4; the first of them, three quarters as wide, for conv2; then v3's first
# reduction, its 17x17 modules without the second of the two alike, and its second reduction.
_MODULES = (
    _square(48, (36, 48), (48, 72), 24),  # conv2_x, 192
    _square(64, (48, 64), (64, 96), 64),  # conv3_x, 288
    _square(64, (48, 64), (64, 96), 64),  # conv4_x, 288
    Module((((384, (3, 3)),), ((64, (1, 1)), (96, (3, 3)), (96, (3, 3)))), None),  # conv5_x, 384 + 96 + 288 = 768
    _factorised(128, 192),  # conv6_x, 768
    _factorised(160, 192),  # conv7_x, 768
    _factorised(192, 192),  # conv8_x, 768
    Module(  # conv9_x, 320 + 192 + 768 = 1280
        (((192, (1, 1)), (320, (3, 3))), ((192, (1, 1)), (192, (1, 7)), (192, (7, 1)), (192, (3, 3)))),
        None,
    ),
)
# (kernel, stride) of what shortens the map, one pixel cut on each side being a 3x3 window of stride 1.
_WINDOWS_BEHIND_THE_STEM = [(3, 1), (3, 2), (3, 2)]
_SMALLEST = (
    smallest_image(1, [(3, 2), (3, 1), (3, 2), *_WINDOWS_BEHIND_THE_STEM]),
    smallest_image(1, [(3, 2), (3, 2), *_WINDOWS_BEHIND_THE_STEM]),
)


@BACKBONES.register("pose_inception")
def pose_inception(image_size: tuple[int, int], *, width: float = 1.0, weights: str | None = None) -> keras.Model:
    """A stem and eight Inception modules for images about twice as high as wide; 219 x 103 in the paper.

    Stage i is conv<i>_x: 1 the stem with its max pooling, 2 to 4 modules of square
    kernels, 5 a reduction, 6 to 8 modules of 1x7 and 7x1 kernels, 9 a reduction.

    Two rows of the paper's table contradict their own sizes: conv5_x with three 1x1 and
    one 3x3 convolution, and conv9_x with two 1x1 and one 1x7. Each tower that halves
    the map needs a strided 3x3, so both are Inception-v3's reductions here, which give
    the printed sizes and channels.

    Args:
        image_size: (height, width) in pixels, at least 43 x 39.
        width: float above 0. Factor of all channel counts.
        weights: None, or the path of a `.weights.h5` file; nobody publishes any.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        1280]: 12 x 5 at 219 x 103.

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights do
            not fit.

    References:
        Liu, Jiang, Zhou and Xu, Person Re-identification with Joint-loss, table I.
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision, for
        the modules.
    """
    require_positive(width, "width")
    image, features = image_input(image_size, imagenet_normalization(), _SMALLEST, "pose_inception")
    features = _stem(features, [scaled(channels, width) for channels in (32, 32, 64)])
    features = layers.Cropping2D(1, name="conv2_crop")(features)
    for stage, module in enumerate(_MODULES, start=2):
        features = _module(features, module, width, f"conv{stage}", f"stage{stage}")
    return load_weights(keras.Model(image, features, name="pose_inception"), weights)


def _stem(features: Any, channels: list[int]) -> Any:
    """Three 3x3 convolutions and a max pooling; only this padding, found by trying, gives 53 x 25 from 219 x 103."""
    features = convolution_norm(features, channels[0], 3, strides=2, padding="valid", name="conv1_1")
    features = layers.ZeroPadding2D((0, 1), name="conv1_2_pad")(features)
    features = convolution_norm(features, channels[1], 3, padding="valid", name="conv1_2")
    features = convolution_norm(features, channels[2], 3, name="conv1_3")
    return layers.MaxPooling2D(3, 2, name="stage1")(features)


def _module(features: Any, module: Module, width: float, name: str, output_name: str) -> Any:
    """The towers and the pooling of a module side by side, [batch, h, w, sum of their channels]."""
    ends = []
    for index, tower in enumerate(module.towers, start=1):
        end = features
        for place, (channels, kernel) in enumerate(tower, start=1):
            shortens = module.pooled is None and place == len(tower)
            end = convolution_norm(
                end,
                scaled(channels, width),
                kernel,
                strides=2 if shortens else 1,
                padding="valid" if shortens else "same",
                name=f"{name}_tower{index}_{place}",
            )
        ends.append(end)
    if module.pooled is None:
        ends.append(layers.MaxPooling2D(3, 2, name=f"{name}_pool")(features))
    else:
        average = layers.AveragePooling2D(3, 1, "same", name=f"{name}_pool")(features)
        ends.append(convolution_norm(average, scaled(module.pooled, width), 1, name=f"{name}_pooled"))
    return layers.Concatenate(name=output_name)(ends)
