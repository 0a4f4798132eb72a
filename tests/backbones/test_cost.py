"""Costs, against published counts and a loop over every multiplication."""

import keras
import pytest
from keras import layers

from reid_tf.backbones.cost import count_parameters, multiply_adds
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES


def test_resnet50_costs_what_torchvision_publishes():
    model = BACKBONES.build({"name": "resnet50", "stride_on": "3x3"}, image_size=(224, 224))
    classifier = 2048 * 1000
    assert round((multiply_adds(model) + classifier) / 1e9, 2) == 4.09
    assert count_parameters(model) + classifier + 1000 == 25_557_032


def test_osnet_costs_what_its_authors_count():
    # Their tool prints 978,878,352: with the 512-wide fully connected layer, and a bias as one more multiply-add. There
    # are biases in that layer and, at each of their four uses, in the gates of the six blocks.
    model = BACKBONES.build({"name": "osnet_x1_0"}, image_size=(256, 128))
    fully_connected = 512 * 512 + 512
    gates = 4 * sum(channels + channels // 16 for channels in (64, 64, 96, 96, 128, 128))
    assert multiply_adds(model) + fully_connected + gates == 978_878_352


def counted_singly(height: int, width: int, kernel: int, stride: int, groups: int, channels: int, filters: int) -> int:
    """Multiplications of an unpadded convolution, one by one."""
    count = 0
    for _ in range(0, height - kernel + 1, stride):
        for _ in range(0, width - kernel + 1, stride):
            for _ in range(filters):
                count += sum(1 for _ in range(kernel * kernel) for _ in range(channels // groups))
    return count


def test_strides_groups_depthwise_and_dense_layers_shared_and_nested():
    image = keras.Input((9, 7, 4))
    grouped = layers.Conv2D(6, 3, strides=2, groups=2)(image)
    shared = layers.Conv2D(6, 1)
    inner = keras.Sequential([keras.Input((4, 3, 6)), layers.DepthwiseConv2D(2, depth_multiplier=3), layers.ReLU()])
    features = inner(shared(shared(grouped)))
    model = keras.Model(image, [layers.Dense(5)(keras.ops.mean(features, (1, 2))), layers.Dense(2)(features)])
    expected = counted_singly(9, 7, 3, 2, 2, 4, 6)
    expected += 2 * counted_singly(4, 3, 1, 1, 1, 6, 6)
    expected += counted_singly(4, 3, 2, 1, 6, 6, 18)  # depthwise: as many groups as channels
    expected += 18 * 5 + 3 * 2 * (18 * 2)  # of the mean, and of each of the 3 x 2 positions
    assert multiply_adds(model) == expected
    assert multiply_adds(inner) == counted_singly(4, 3, 2, 1, 6, 6, 18)


def test_parameters_leave_out_moving_statistics_and_frozen_weights():
    frozen = layers.Dense(7, trainable=False)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), frozen])
    assert count_parameters(model) == 3 * 4 + 4 + 2 * 4


def test_an_image_of_unknown_size():
    model = keras.Sequential([keras.Input((None, 8, 3)), layers.Conv2D(4, 3, name="first")])
    with pytest.raises(InputError, match=r"Received: the input \(None, None, 8, 3\) of the layer 'first'"):
        multiply_adds(model)
