"""CaffeNet: AlexNet as the Caffe library trained it, seven layers in two towers."""

from typing import Any

import keras
from keras import initializers, layers, ops

from reid_tf.backbones.common import image_input, require_positive, require_rate, scaled, smallest_image
from reid_tf.backbones.weights import load_weights
from reid_tf.layers.local_response_normalization import LocalResponseNormalization
from reid_tf.layers.preprocessing import caffe_normalization
from reid_tf.registry import BACKBONES

FC6_SIZE = 6  # the map that fc6 covers: an image of 227x227 leaves one position
WINDOWS = ((11, 4), (3, 2), (3, 2), (3, 2))  # conv1, pool1, pool2, pool5; conv2 to conv5 are padded and keep the size


def _convolution(
    features: Any, channels: int, kernel_size: int, name: str, *, strides: int = 1, padding: str = "same",
    deviation: float = 0.01, bias: float = 0.0,
) -> Any:
    return layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding,
        kernel_initializer=initializers.RandomNormal(stddev=deviation),
        bias_initializer=initializers.Constant(bias),
        name=name,
    )(features)


def _two_towers(features: Any, channels: int, kernel_size: int, name: str, *, bias: float) -> Any:
    # One convolution a half of the channels, not Conv2D(groups=2): TensorFlow has no gradient of that on a CPU.
    halves = [
        _convolution(half, channels // 2, kernel_size, f"{name}_tower{tower}", bias=bias)
        for tower, half in enumerate(ops.split(features, 2, axis=-1), start=1)
    ]
    return layers.Concatenate(name=name)(halves)
