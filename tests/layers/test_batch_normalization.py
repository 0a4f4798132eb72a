"""Batch normalisation in one operation against Keras' own layer: features, gradients and moving statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.layers import BatchNormalization

TOLERANCE = {"float32": 1e-4, "mixed_float16": 0.03, "mixed_bfloat16": 0.1}


def features(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)


def trained(layer: keras.layers.Layer, inputs: np.ndarray, **arguments) -> list[np.ndarray]:
    """What a training step sees of a layer: its output, the gradients, and the moving statistics after it."""
    upstream = np.random.default_rng(1).normal(size=inputs.shape).astype(np.float32)
    layer.build(inputs.shape)
    for index, variable in enumerate(layer.trainable_variables):
        variable.assign(np.linspace(0.5 - index, 2, inputs.shape[-1], dtype=np.float32))

    @tf.function
    def step(inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True, **arguments)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
        return outputs, tape.gradient(loss, [inputs, *layer.trainable_variables])

    outputs, gradients = step(tf.constant(inputs))
    assert outputs.dtype == layer.compute_dtype
    return [np.asarray(value).astype(np.float32) for value in (outputs, *gradients, *layer.non_trainable_variables)]


@pytest.mark.parametrize("policy", list(TOLERANCE))
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False, "momentum": 0.5, "epsilon": 1e-2}])
def test_equals_keras_layer(policy, options):
    inputs, reference = features(4, 5, 3, 6), keras.layers.BatchNormalization(dtype=policy, **options)
    expected = trained(reference, inputs)
    received = trained(BatchNormalization(dtype=policy, **options), inputs)
    assert len(expected) == len(received) == 6 - len([name for name in ("center", "scale") if name in options])
    for value, wanted in zip(received, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=TOLERANCE[policy], atol=TOLERANCE[policy])


def test_the_variance_is_that_of_the_values_and_not_of_a_sample():
    inputs, layer = features(1, 2, 1, 3), BatchNormalization(momentum=0.0)
    layer(inputs, training=True)
    np.testing.assert_allclose(layer.moving_variance, inputs.var((0, 1, 2)), rtol=1e-5)


def test_one_value_has_no_variance():
    layer = BatchNormalization(momentum=0.0)
    np.testing.assert_array_equal(layer(features(1, 1, 1, 3), training=True), np.zeros((1, 1, 1, 3)))
    np.testing.assert_array_equal(layer.moving_variance, np.zeros(3))


@pytest.mark.parametrize("shape", [(8, 6), (4, 5, 6), (2, 3, 2, 2, 6)])
def test_other_ranks_are_keras_own(shape):
    inputs = features(*shape)
    for value, wanted in zip(
        trained(BatchNormalization(), inputs), trained(keras.layers.BatchNormalization(), inputs), strict=True
    ):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)


def test_a_mask_is_kept():
    inputs, mask = features(4, 5, 3, 6), np.random.default_rng(2).random((4, 5, 3)) < 0.5
    for value, wanted in zip(
        trained(BatchNormalization(), inputs, mask=mask),
        trained(keras.layers.BatchNormalization(), inputs, mask=mask),
        strict=True,
    ):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-4)


def test_a_frozen_layer_uses_and_keeps_its_statistics():
    inputs, layer = features(4, 5, 3, 6), BatchNormalization()
    layer.trainable = False
    np.testing.assert_allclose(layer(inputs, training=True), layer(inputs, training=False), rtol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(6))


def test_weights_of_keras_layer_load_by_file(tmp_path):
    def model(kind: type[keras.layers.Layer]) -> keras.Model:
        image = keras.Input((4, 4, 3))
        return keras.Model(image, kind()(image))

    source, target = model(keras.layers.BatchNormalization), model(BatchNormalization)
    source.set_weights([np.full(3, value, np.float32) for value in (1, 2, 3, 4)])
    source.save_weights(tmp_path / "a.weights.h5")
    target.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(target.get_weights(), source.get_weights())
