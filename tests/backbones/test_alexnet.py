"""AlexNet's layers against a plain computation, and its published size."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.backbones.alexnet import alexnet


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return alexnet((224, 224), width_multiplier=0.1)


def test_whole_network_equals_plain_tensorflow(model):
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    weights = {layer.name: layer.get_weights() for layer in model.layers}

    def convolution(x: tf.Tensor, name: str, strides: int = 1, padding="SAME") -> tf.Tensor:
        kernel, bias = weights[name]
        return tf.nn.relu(tf.nn.conv2d(x, kernel, strides, padding) + bias)

    def pool(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    x = tf.constant(((images / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).astype(np.float32))
    x = pool(convolution(x, "conv1", 4, [[0, 0], [2, 2], [2, 2], [0, 0]]))
    x = pool(convolution(x, "conv2"))
    x = pool(convolution(convolution(convolution(x, "conv3"), "conv4"), "conv5"))
    x = convolution(convolution(x, "fc6", padding="VALID"), "fc7", padding="VALID")
    assert np.any(x)
    np.testing.assert_allclose(model(images), x, rtol=1e-3, atol=1e-5)


def test_stages_are_the_seven_layers(model):
    sizes = [model.get_layer(f"stage{i}").output.shape[1:3] for i in range(1, 8)]
    assert sizes == [(27, 27), (13, 13), (13, 13), (13, 13), (6, 6), (1, 1), (1, 1)]
