"""CaffeNet: AlexNet as the Caffe library trained it, seven layers, three of them in two towers."""

from typing import Any

import keras
from keras import initializers, layers, ops

from reid_tf.backbones.blocks import fully_connected_stages
from reid_tf.backbones.common import image_input, scaled, smallest_image
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.local_response_normalization import LocalResponseNormalization
from reid_tf.layers.preprocessing import caffe_normalization
from reid_tf.registry import BACKBONES

FC6_SIZE = 6  # the map that fc6 covers
WINDOWS = ((11, 4), (3, 2), (3, 2), (3, 2))  # conv1, pool1, pool2, pool5; conv2 to conv5 are padded and keep the size


@BACKBONES.register("caffenet")
def caffenet(
    image_size: tuple[int, int],
    *,
    dropout: float = 0.5,
    width_multiplier: float = 1.0,
    weights: str | None = None,
) -> keras.Model:
    """CaffeNet up to fc7; its own image size, 227x227, gives one vector of 4096, a larger image a map of them.

    Stages 1 to 7 are conv1 to conv5, fc6 and fc7, each with its pooling, normalisation
    and dropout. CaffeNet pools before it normalises. The initial weights are Caffe's,
    made for its width and its unscaled input; a narrower network begins with Keras'.

    Args:
        image_size: (height, width) in pixels; each is enlarged to 227 where it is less.
        dropout: float in [0, 1). Rate after fc6 and fc7.
        width_multiplier: float above 0. Factor of all channel counts, for a narrow
            version.
        weights: None, or the path of a `.weights.h5` file, such as
            `reid-tf convert-weights` makes of `bvlc_reference_caffenet.caffemodel`,
            whose mean it takes over.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        4096], h = w = 1 at 227 x 227.

    Raises:
        InputError: an option is out of range, or the weights do not fit.

    References:
        Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep
        Convolutional Neural Networks. Jia et al., Caffe: Convolutional Architecture for
        Fast Feature Embedding.
    """
    conv1, conv2, conv3, conv4, conv5, fc = (scaled(c, width_multiplier) for c in (96, 256, 384, 384, 256, 4096))
    minimum = smallest_image(FC6_SIZE, WINDOWS)
    image, features = image_input(image_size, caffe_normalization(), minimum, "caffenet", enlarges=True)
    caffe = width_multiplier == 1
    features = _convolution(features, conv1, 11, "conv1", caffe, strides=4, padding="valid")
    features = layers.MaxPooling2D(3, 2, name="pool1")(layers.ReLU(name="relu1")(features))
    features = LocalResponseNormalization(name="stage1")(features)
    features = _two_towers(features, conv2, 5, "conv2", caffe, bias=1.0)
    features = layers.MaxPooling2D(3, 2, name="pool2")(layers.ReLU(name="relu2")(features))
    features = LocalResponseNormalization(name="stage2")(features)
    features = layers.ReLU(name="stage3")(_convolution(features, conv3, 3, "conv3", caffe))
    features = layers.ReLU(name="stage4")(_two_towers(features, conv4, 3, "conv4", caffe, bias=1.0))
    features = layers.ReLU(name="relu5")(_two_towers(features, conv5, 3, "conv5", caffe, bias=1.0))
    features = layers.MaxPooling2D(3, 2, name="stage5")(features)  # [batch, 6, 6, 256] at 227x227
    initializer = initializers.RandomNormal(stddev=0.005) if caffe else "glorot_uniform"
    features = fully_connected_stages(features, fc, FC6_SIZE, dropout, initializer, bias=float(caffe))
    return load_weights(keras.Model(image, features, name="caffenet"), weights)


def _convolution(
    features: Any,
    channels: int,
    kernel_size: int,
    name: str,
    caffe: bool,
    *,
    strides: int = 1,
    padding: str = "same",
    bias: float = 0.0,
) -> Any:
    return layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding,
        kernel_initializer=initializers.RandomNormal(stddev=0.01) if caffe else "glorot_uniform",
        bias_initializer=initializers.Constant(bias if caffe else 0.0),
        name=name,
    )(features)


def _two_towers(features: Any, channels: int, kernel_size: int, name: str, caffe: bool, *, bias: float) -> Any:
    # A convolution for each half of the channels, not Conv2D(groups=2): on a CPU TensorFlow can only run that compiled
    # by XLA, anew for every batch size, and cannot export it.
    halves = [
        _convolution(half, channels // 2, kernel_size, f"{name}_tower{tower}", caffe, bias=bias)
        for tower, half in enumerate(ops.split(features, 2, axis=-1), start=1)
    ]
    return layers.Concatenate(name=name)(halves)
