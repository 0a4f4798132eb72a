"""CaffeNet's layers against a plain computation, and the towers against grouped convolutions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.backbones.caffenet import caffenet

NARROW = 0.1


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return caffenet((227, 227), width_multiplier=NARROW)


@pytest.mark.parametrize("layer", ["conv2", "conv4", "conv5"])
def test_two_towers_are_a_grouped_convolution(model, layer):
    towers = [model.get_layer(f"{layer}_tower{tower}") for tower in (1, 2)]
    kernels, biases = zip(*(tower.get_weights() for tower in towers), strict=True)
    channels = 2 * kernels[0].shape[2]
    features = np.random.default_rng(0).normal(0, 1, (2, 6, 5, channels)).astype(np.float32)
    grouped = keras.layers.Conv2D(2 * kernels[0].shape[3], kernels[0].shape[0], padding="same", groups=2)
    grouped.build(features.shape)
    grouped.set_weights([np.concatenate(kernels, axis=-1), np.concatenate(biases)])
    halves = np.split(features, 2, axis=-1)
    ours = np.concatenate([tower(half) for tower, half in zip(towers, halves, strict=True)], axis=-1)
    np.testing.assert_allclose(ours, grouped(features), rtol=1e-4, atol=1e-4)


def test_whole_network_equals_plain_tensorflow(model):
    image = np.random.default_rng(0).integers(0, 256, (2, 227, 227, 3), np.uint8)
    weights = {layer.name: layer.get_weights() for layer in model.layers}

    def convolution(x: tf.Tensor, name: str, strides: int = 1, padding: str = "SAME") -> tf.Tensor:
        kernel, bias = weights[name]
        return tf.nn.relu(tf.nn.conv2d(x, kernel, strides, padding) + bias)

    def towers(x: tf.Tensor, name: str) -> tf.Tensor:
        halves = tf.split(x, 2, axis=-1)
        return tf.concat([convolution(half, f"{name}_tower{i}") for i, half in enumerate(halves, start=1)], axis=-1)

    def pool(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def normalise(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.local_response_normalization(x, 2, 1.0, 1e-4 / 5, 0.75)

    x = tf.constant(image[..., ::-1].astype(np.float32) - np.float32([103.939, 116.779, 123.68]))
    x = normalise(pool(convolution(x, "conv1", 4, "VALID")))
    x = normalise(pool(towers(x, "conv2")))
    x = pool(towers(towers(convolution(x, "conv3"), "conv4"), "conv5"))
    x = convolution(convolution(x, "fc6", padding="VALID"), "fc7", padding="VALID")
    np.testing.assert_allclose(model(image), x, rtol=1e-3, atol=1e-4)


def test_stages_are_the_seven_layers(model):
    sizes = [model.get_layer(f"stage{i}").output.shape[1:3] for i in range(1, 8)]
    assert sizes == [(27, 27), (13, 13), (13, 13), (13, 13), (6, 6), (1, 1), (1, 1)]


def test_initial_weights_are_caffes_at_its_width_alone(model):
    kernel, bias = caffenet((227, 227)).get_layer("conv2_tower1").get_weights()
    assert np.std(kernel) == pytest.approx(0.01, rel=0.02)
    np.testing.assert_array_equal(bias, np.ones_like(bias))
    kernel, bias = model.get_layer("conv2_tower1").get_weights()
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (25 * sum(kernel.shape[2:]))), rel=0.02)
    np.testing.assert_array_equal(bias, np.zeros_like(bias))


def test_dropout_acts_in_training_only():
    images = np.random.default_rng(0).integers(0, 256, (2, 227, 227, 3), np.uint8)
    model = caffenet((227, 227), width_multiplier=NARROW, dropout=0.5)
    zeros, dropped = (np.mean(np.asarray(model(images, training=training)) == 0) for training in (False, True))
    assert dropped - zeros > 0.3 * (1 - zeros)  # about half of those that the ReLU leaves
    without = caffenet((227, 227), width_multiplier=NARROW, dropout=0.0)
    np.testing.assert_array_equal(without(images, training=True), without(images))
