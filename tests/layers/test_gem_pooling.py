"""Generalised-mean pooling against a loop, its two ends and finite differences."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.layers import GeneralizedMeanPooling
from reid_tf.layers.gem_pooling import generalized_mean


@pytest.fixture
def feature_map() -> np.ndarray:
    """As behind a ReLU: half of it is 0."""
    return np.maximum(np.random.default_rng(0).normal(0, 2, (2, 4, 3, 5)), 0).astype(np.float32)


def naive(feature_map: np.ndarray, power: float, epsilon: float = 1e-6) -> np.ndarray:
    images, _, _, channels = feature_map.shape
    result = np.empty((images, channels))
    for image, channel in np.ndindex(images, channels):
        values = [max(float(value), epsilon) for value in feature_map[image, :, :, channel].flat]
        result[image, channel] = (sum(value**power for value in values) / len(values)) ** (1 / power)
    return result


@pytest.mark.parametrize("power", [1.0, 3.0, 4.7])
def test_equals_the_loop(feature_map, power):
    np.testing.assert_allclose(generalized_mean(feature_map, power), naive(feature_map, power), rtol=1e-5)


def test_lies_between_the_average_and_the_maximum(feature_map):
    np.testing.assert_allclose(generalized_mean(feature_map, 1.0), feature_map.mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(generalized_mean(feature_map, 500.0), feature_map.max(axis=(1, 2)), rtol=1e-2)


def test_gradients_equal_finite_differences(feature_map):
    values, power = tf.constant(feature_map + 0.1), tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch([values, power])
        total = tf.reduce_sum(generalized_mean(values, power))
    by_value, by_power = tape.gradient(total, [values, power])
    exact, step = values.numpy().astype(np.float64), 1e-5
    rise = naive(exact, 3 + step).sum() - naive(exact, 3 - step).sum()
    assert float(by_power) == pytest.approx(rise / (2 * step), rel=1e-3)
    for place in [(0, 0, 0, 0), (1, 3, 2, 4)]:
        nudge = np.zeros_like(exact)
        nudge[place] = step
        rise = naive(exact + nudge, 3).sum() - naive(exact - nudge, 3).sum()
        assert float(by_value[place]) == pytest.approx(rise / (2 * step), rel=1e-3)


def test_gradients_of_a_map_of_zeros_are_finite():
    layer = GeneralizedMeanPooling()
    zeros = tf.zeros((1, 2, 2, 3))
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        total = tf.reduce_sum(layer(zeros))
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(total, [zeros, layer.power.value]))


def test_half_precision_neither_overflows_nor_rounds_the_power(feature_map):
    large = np.float16(1000 * feature_map)  # its cubes leave float16's range, and with the power 20 float32's too
    layer = GeneralizedMeanPooling(dtype="mixed_float16")
    result = layer(large)
    assert (result.dtype, layer.power.dtype) == ("float16", "float32")
    layer.power.assign(20.0001)
    expected = naive(large.astype(np.float64), float(layer.power.numpy()))
    np.testing.assert_allclose(layer(large), expected, rtol=1e-3)


def test_the_power_learns_and_stays_at_the_average_or_above(feature_map):
    layer = GeneralizedMeanPooling()
    model = keras.Sequential([keras.Input((4, 3, 5)), layer])
    model.compile(keras.optimizers.SGD(5.0), "mean_squared_error")
    model.train_on_batch(feature_map, feature_map.max(axis=(1, 2)))
    assert float(layer.power.value) > 3.1
    model.optimizer.learning_rate = 1000.0
    model.train_on_batch(feature_map, np.zeros((2, 5)))
    assert float(layer.power.value) == 1


def test_saved_and_loaded_with_the_power_that_it_learned(feature_map, tmp_path):
    layer = GeneralizedMeanPooling(name="pool")
    model = keras.Sequential([keras.Input((4, 3, 5)), layer])
    layer.power.assign(5.5)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again(feature_map), naive(feature_map, 5.5), rtol=1e-4)
    assert again.get_layer("pool").power.constraint is not None
    arguments = set(inspect.signature(GeneralizedMeanPooling.__init__).parameters) - {"self", "kwargs"}
    assert arguments <= set(layer.get_config())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"power": 0.5}, "at least 1, .*power=0.5"),
        ({"power": float("nan")}, "power=nan"),
        ({"epsilon": 0.0}, "above 0.*epsilon=0.0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        GeneralizedMeanPooling(**arguments)
