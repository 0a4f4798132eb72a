"""The smallest backbone: tests, first runs, machines without a GPU."""

import keras

from reid_tf.backbones.common import require_positive
from reid_tf.backbones.resnet import basic_block, resnet
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES


@BACKBONES.register("tiny")
def tiny(image_size: tuple[int, int], *, width: Count = 32, weights: str | None = None) -> keras.Model:
    """A light stem and three basic blocks, 4 * width channels.

    The stem, which works on the largest map, has half the width: a quarter less time
    for a training step.

    Args:
        image_size: (height, width) in pixels, at least 16 x 16.
        width: int. Channels of the first block.
        weights: None, or the path of a `.weights.h5` file; none is published.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        16, width / 16, 4 * width].

    Raises:
        InputError: the image is too small, `width` is not positive, or the weights do
            not fit.
    """
    require_positive(width, "width")
    model = resnet(
        image_size,
        name="tiny",
        block=basic_block,
        stackwise_channels=(width, 2 * width, 4 * width),
        stackwise_num_blocks=(1, 1, 1),
        stackwise_strides=(2, 2, 2),
        stem="light",
        stem_channels=max(1, width // 2),
        preprocessing=imagenet_normalization(),
    )
    return load_weights(model, weights)
