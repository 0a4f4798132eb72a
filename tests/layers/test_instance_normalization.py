"""Instance normalisation against a loop and PyTorch's numbers; the mixed layer against its two halves."""

import keras
import numpy as np
import pytest

from reid_tf.layers import InstanceBatchNormalization, InstanceNormalization
from reid_tf.layers.instance_normalization import instance_normalization

EPSILON = 1e-5


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(3, 2, (4, 5, 3, 6)).astype(np.float32)


def naive(features: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    result = np.empty(features.shape)
    for image, channel in np.ndindex(features.shape[0], features.shape[-1]):
        values = features[image, :, :, channel].astype(np.float64)
        scaled = (values - values.mean()) / np.sqrt(values.var() + EPSILON)
        result[image, :, :, channel] = scaled * gamma[channel] + beta[channel]
    return result


def test_equals_the_loop(features):
    gamma, beta = np.linspace(0.5, 2, 6, dtype=np.float32), np.linspace(-1, 1, 6, dtype=np.float32)
    normalised = instance_normalization(features, gamma, beta, EPSILON)
    np.testing.assert_allclose(normalised, naive(features, gamma, beta), rtol=1e-4, atol=1e-5)


def test_an_image_does_not_see_the_others(features):
    layer = InstanceNormalization()
    np.testing.assert_allclose(layer(features)[1:2], layer(features[1:2]), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(layer(features, training=True), layer(features, training=False))


def test_brightness_and_contrast_of_an_image_do_not_show(features):
    layer = InstanceNormalization()
    np.testing.assert_allclose(layer(features * 3 - 7), layer(features), atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_squares_nothing_out_of_range(features, policy):
    large = features * 300  # whose squares float16 cannot hold
    layer = InstanceNormalization(dtype=policy)
    expected = InstanceNormalization()(large)
    received = np.asarray(layer(large)).astype(np.float32)
    np.testing.assert_allclose(received, expected, atol=0.05)


@pytest.mark.parametrize("channels", [6, 5])
def test_the_mixed_layer_is_its_halves(features, channels):
    features, half = features[..., :channels], channels // 2
    layer, batch = InstanceBatchNormalization(epsilon=EPSILON), features[..., half:]
    mean, variance = batch.mean((0, 1, 2)), batch.var((0, 1, 2))
    mixed = np.asarray(layer(features, training=True))
    alone = naive(features[..., :half], np.ones(half), np.zeros(half))
    np.testing.assert_allclose(mixed[..., :half], alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mixed[..., half:], (batch - mean) / np.sqrt(variance + EPSILON), atol=1e-4)
    mixed = np.asarray(layer(features, training=False))
    mean, variance = 0.1 * mean, 0.9 + 0.1 * variance  # after one step from 0 and 1
    np.testing.assert_allclose(mixed[..., :half], alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mixed[..., half:], (batch - mean) / np.sqrt(variance + EPSILON), atol=2e-2)
    assert [variable.path.rsplit("/", 2)[-2:] for variable in layer.trainable_variables] == [
        ["instance", "gamma"],
        ["instance", "beta"],
        ["batch", "gamma"],
        ["batch", "beta"],
    ]


def test_a_frozen_mixed_layer_keeps_its_statistics(features):
    layer = InstanceBatchNormalization()
    layer.build(features.shape)
    layer.trainable = False
    layer(features, training=True)
    np.testing.assert_array_equal(layer.batch.moving_mean, np.zeros(3))


@pytest.mark.parametrize("layer", [InstanceNormalization(0.1), InstanceBatchNormalization(0.5, 0.1)])
def test_a_model_with_it_is_saved_and_reopened(layer, features, tmp_path):
    image = keras.Input(features.shape[1:])
    model = keras.Model(image, layer(image))
    for variable in model.weights:
        variable.assign(np.random.default_rng(1).uniform(0.5, 1.5, variable.shape))
    model.save(tmp_path / "model.keras")
    reopened = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reopened(features), model(features))
    assert reopened.layers[-1].get_config() == layer.get_config()
