"""The depthwise convolution's own gradients against those of Keras' layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.layers import DepthwiseConv2D

SHAPE = (2, 7, 6, 3)


def trained(layer: keras.layers.Layer) -> list[np.ndarray]:
    """Output, input gradient and weights' gradients of a training step."""
    generator = np.random.default_rng(0)
    inputs = tf.constant(generator.normal(size=SHAPE), tf.float32)
    layer.build(SHAPE)
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.weights])
    upstream = generator.normal(size=layer.compute_output_shape(SHAPE)).astype(np.float32)

    @tf.function
    def step(inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, **({"training": True} if isinstance(layer, DepthwiseConv2D) else {}))
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
        return outputs, tape.gradient(loss, [inputs, *layer.trainable_variables])

    outputs, gradients = step(inputs)
    return [np.asarray(value).astype(np.float32) for value in (outputs, *gradients)]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, (3, 5), (5, 3), (7, 6)])
def test_equals_keras_layer(kernel, strides, padding):
    options = {"kernel_size": kernel, "strides": strides, "padding": padding}
    for value, wanted in zip(
        trained(DepthwiseConv2D(**options)), trained(keras.layers.DepthwiseConv2D(**options)), strict=True
    ):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)


def test_a_step_outside_a_graph_is_the_same():
    expected = trained(DepthwiseConv2D(5, strides=2))
    tf.config.run_functions_eagerly(True)
    try:
        received = trained(DepthwiseConv2D(5, strides=2))
    finally:
        tf.config.run_functions_eagerly(False)
    for value, wanted in zip(received, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{"depth_multiplier": 2}, {"activation": "relu"}, {"use_bias": False}])
def test_options_are_keras_own(options):
    options = {"kernel_size": 5, "padding": "same", **options}
    for value, wanted in zip(
        trained(DepthwiseConv2D(**options)), trained(keras.layers.DepthwiseConv2D(**options)), strict=True
    ):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("strides", [1, 2])
def test_half_precision_is_near(policy, strides):
    options = {"kernel_size": 5, "strides": strides, "padding": "same"}
    expected = trained(DepthwiseConv2D(**options))
    for value, wanted in zip(trained(DepthwiseConv2D(**options, dtype=policy)), expected, strict=True):
        np.testing.assert_allclose(value, wanted, atol=0.02 * np.abs(wanted).max())


def test_the_gradients_in_pieces_are_used(monkeypatch):
    from reid_tf import tensorflow_operations

    called = []
    monkeypatch.setattr(tensorflow_operations, "_filter_gradient", lambda *_: called.append(1) or tf.ones((5, 5, 3, 1)))
    *_, kernel, _ = trained(DepthwiseConv2D(5))
    np.testing.assert_array_equal(kernel, np.ones((5, 5, 3, 1)))
    assert called


def test_dilation_is_keras_own():
    options = {"kernel_size": 3, "dilation_rate": 2}
    for value, wanted in zip(
        trained(DepthwiseConv2D(**options)), trained(keras.layers.DepthwiseConv2D(**options)), strict=True
    ):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)
