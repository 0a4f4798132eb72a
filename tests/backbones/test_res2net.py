"""The Res2Net block against one written with loops, and its other published forms."""

import keras
import numpy as np
import pytest

from reid_tf.backbones.blocks import EPSILON
from reid_tf.backbones.res2net import res2net_block
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

CHANNELS, GROUP_WIDTH, SCALE = 16, 16, 4  # groups of 4 channels
NAME = "block"


def block_model(channels_in: int, strides: int, scale: int = SCALE) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 4, channels_in))
    outputs = res2net_block(
        inputs, CHANNELS, strides=strides, name=NAME, output_name="out", group_width=GROUP_WIDTH, scale=scale
    )
    model = keras.Model(inputs, outputs)
    generator = np.random.default_rng(0)
    for variable in model.weights:
        low, high = (0.5, 1.5) if variable.name in ("gamma", "moving_variance") else (-0.5, 0.5)
        variable.assign(generator.uniform(low, high, variable.shape))
    return model


class Loops:
    """The layers of a block on one feature map [height, width, channels], pixel by pixel."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def convolution(self, features: np.ndarray, name: str, strides: int = 1) -> np.ndarray:
        kernel = np.asarray(self.model.get_layer(f"{NAME}_{name}_conv").kernel)
        size = len(kernel)
        padded = np.pad(features, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)))
        rows, columns = (-(-length // strides) for length in features.shape[:2])
        result = np.zeros((rows, columns, kernel.shape[-1]))
        for row in range(rows):
            for column in range(columns):
                window = padded[row * strides : row * strides + size, column * strides : column * strides + size]
                for channel in range(kernel.shape[-1]):
                    result[row, column, channel] = np.sum(window * kernel[..., channel])
        return result

    def norm(self, features: np.ndarray, name: str) -> np.ndarray:
        gamma, beta, mean, variance = self.model.get_layer(f"{NAME}_{name}_bn").get_weights()
        return (features - mean) / np.sqrt(variance + EPSILON) * gamma + beta

    def pool(self, features: np.ndarray, strides: int) -> np.ndarray:
        padded = np.pad(features, ((1, 1), (1, 1), (0, 0)))
        rows, columns = (-(-length // strides) for length in features.shape[:2])
        result = np.zeros((rows, columns, features.shape[-1]))
        for row in range(rows):
            for column in range(columns):
                top, left = row * strides, column * strides
                result[row, column] = padded[top : top + 3, left : left + 3].sum(axis=(0, 1)) / 9
        return result

    def __call__(self, features: np.ndarray, strides: int, begins_stack: bool) -> np.ndarray:
        def relu(values: np.ndarray) -> np.ndarray:
            return np.maximum(values, 0)

        hidden = relu(self.norm(self.convolution(features, "1"), "1"))
        groups = [hidden[..., 4 * index : 4 * index + 4] for index in range(SCALE)]
        outputs = [relu(self.norm(self.convolution(groups[0], "2_1", strides), "2_1"))]
        for index in (1, 2):
            group = groups[index] if begins_stack else groups[index] + outputs[-1]
            outputs.append(relu(self.norm(self.convolution(group, f"2_{index + 1}", strides), f"2_{index + 1}")))
        outputs.append(self.pool(groups[3], strides) if begins_stack else groups[3])
        residual = self.norm(self.convolution(np.concatenate(outputs, -1), "3"), "3")
        shortcut = self.norm(self.convolution(features, "0", strides), "0") if begins_stack else features
        return relu(shortcut + residual)


@pytest.mark.parametrize(("channels_in", "strides"), [(4 * CHANNELS, 1), (8, 1), (32, 2), (4 * CHANNELS, 2)])
def test_a_block_equals_the_same_in_loops(channels_in, strides):
    model = block_model(channels_in, strides)
    features = np.random.default_rng(1).normal(size=(2, 5, 4, channels_in)).astype(np.float32)
    begins_stack = (channels_in, strides) != (4 * CHANNELS, 1)
    expected = [Loops(model)(image, strides, begins_stack) for image in features]
    np.testing.assert_allclose(model(features), expected, rtol=1e-5, atol=1e-5)


def test_a_group_sees_what_the_groups_before_it_saw():
    model = block_model(4 * CHANNELS, strides=1)
    seen = [model.get_layer(f"{NAME}_2_{group}_conv").output for group in (1, 2, 3)]
    field = keras.Model(model.input, seen)
    features = np.random.default_rng(2).uniform(0, 1, (1, 5, 4, 4 * CHANNELS)).astype(np.float32)
    changed = features.copy()
    changed[0, 0, 0] += 1
    differences = [
        np.abs(np.asarray(after) - np.asarray(before))[0].max(axis=(1, 2))
        for before, after in zip(field(features), field(changed), strict=True)
    ]
    assert [int(np.flatnonzero(rows > 1e-6).max()) for rows in differences] == [1, 2, 3]


# Published by the authors: multiply-adds and parameters of the forms of the 50-layer net agree within rounding.
@pytest.mark.parametrize(("group_width", "scale", "millions"), [(48, 2, 25.29), (14, 8, 25.06), (26, 6, 37.05)])
def test_other_published_forms_of_the_50_layer_net(group_width, scale, millions):
    model = BACKBONES.build({"name": "res2net50", "group_width": group_width, "scale": scale}, image_size=(32, 32))
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) + 2048 * 1000 + 1000
    assert trainable / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 1}, "scale must be at least 2.*Received: scale=1"),
        ({"group_width": 0}, "'group_width' .*must be at least 1. Received: 0"),
        ({"width": -64}, "'width' .*must be at least 1. Received: -64"),
    ],
)
def test_option_out_of_range_is_named(options, message):
    with pytest.raises(InputError, match=message):
        BACKBONES.build({"name": "res2net26", **options}, image_size=(64, 32))
