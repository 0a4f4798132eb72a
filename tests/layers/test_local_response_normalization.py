"""AlexNet's normalisation against a loop and TensorFlow's."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.layers.local_response_normalization import LocalResponseNormalization, local_response_normalization


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 60, (2, 3, 4, 9)).astype(np.float32)


def naive(features: np.ndarray, window: int, alpha: float, beta: float, bias: float) -> np.ndarray:
    result = np.empty_like(features)
    for place in np.ndindex(features.shape):
        channel = place[-1]
        around = features[place[:-1]][max(0, channel - window // 2) : channel + window // 2 + 1]
        result[place] = features[place] / (bias + alpha / window * np.sum(around**2)) ** beta
    return result


@pytest.mark.parametrize(("window", "alpha", "beta", "bias"), [(5, 1e-4, 0.75, 1.0), (3, 2e-2, 0.5, 2.0), (1, 1, 1, 1)])
def test_equals_the_loop_and_tensorflow(features, window, alpha, beta, bias):
    result = local_response_normalization(features, window, alpha, beta, bias)
    np.testing.assert_allclose(result, naive(features, window, alpha, beta, bias), rtol=1e-5)
    theirs = tf.nn.local_response_normalization(features, window // 2, bias, alpha / window, beta)
    np.testing.assert_allclose(result, theirs, rtol=1e-5)


def test_defaults_change_activations_of_caffenets_size(features):
    assert np.max(np.abs(np.asarray(local_response_normalization(features)) - features)) > 1


def test_gradient_equals_tensorflows(features):
    x = tf.constant(features)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = tf.reduce_sum(local_response_normalization(x) ** 2)
        theirs = tf.reduce_sum(tf.nn.local_response_normalization(x, 2, 1.0, 2e-5, 0.75) ** 2)
    np.testing.assert_allclose(tape.gradient(ours, x), tape.gradient(theirs, x), rtol=1e-3, atol=1e-3)


def test_gradient_at_zero_is_finite():
    x = tf.zeros((1, 1, 1, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(local_response_normalization(x))
    np.testing.assert_array_equal(tape.gradient(total, x), np.ones((1, 1, 1, 4)))


def test_float16_does_not_overflow_in_the_squares():
    large = np.full((1, 1, 1, 8), 1000.0, np.float16)  # 1000^2 is beyond float16's 65504
    result = np.asarray(LocalResponseNormalization(dtype="float16")(large))
    assert result.dtype == np.float16
    np.testing.assert_allclose(result, naive(large.astype(np.float32), 5, 1e-4, 0.75, 1.0), rtol=1e-3)


def test_configuration_names_every_argument_and_round_trips(features):
    layer = LocalResponseNormalization(window=3, alpha=0.1, beta=0.6, bias=1.5)
    arguments = set(inspect.signature(LocalResponseNormalization.__init__).parameters) - {"self", "kwargs"}
    assert arguments <= set(layer.get_config())
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    np.testing.assert_array_equal(copy(features), layer(features))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"window": 4}, "odd.*window=4"), ({"window": -1}, "odd.*window=-1"), ({"bias": 0.0}, "above 0.*bias=0.0")],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        LocalResponseNormalization(**arguments)
