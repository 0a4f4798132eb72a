"""Pooling in stripes: against a loop over rows, and what it refuses."""

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.layers import StripePooling


def naive(feature_map: np.ndarray, stripes: int) -> np.ndarray:
    rows, result = feature_map.shape[1], []
    for stripe in range(stripes):
        inside = [row for row in range(rows) if stripe * rows // stripes <= row < (stripe + 1) * rows // stripes]
        result.append(feature_map[:, inside].mean(axis=(1, 2)))
    return np.concatenate(result, axis=-1)


@pytest.mark.parametrize(("rows", "stripes"), [(8, 4), (7, 4), (4, 4), (5, 1), (9, 2)])
def test_equals_the_loop(rows, stripes):
    feature_map = np.random.default_rng(0).normal(size=(2, rows, 3, 5)).astype(np.float32)
    layer = StripePooling(stripes)
    pooled = layer(feature_map)
    assert pooled.shape == layer.compute_output_shape(feature_map.shape) == (2, stripes * 5)
    np.testing.assert_allclose(pooled, naive(feature_map, stripes), rtol=1e-5, atol=1e-6)


def test_one_stripe_is_the_global_average_and_the_top_comes_first():
    feature_map = np.zeros((1, 8, 4, 2), np.float32)
    feature_map[:, :2, :, 0] = 8.0
    np.testing.assert_allclose(StripePooling(1)(feature_map), [[2.0, 0.0]])
    np.testing.assert_allclose(StripePooling(4)(feature_map), [[8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])


def test_is_saved_with_a_model(tmp_path):
    feature_map = keras.Input((8, 4, 3))
    model = keras.Model(feature_map, StripePooling(2)(feature_map))
    model.save(tmp_path / "model.keras")
    values = np.random.default_rng(0).normal(size=(1, 8, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(values), model(values))


@pytest.mark.parametrize(
    ("stripes", "rows", "message"),
    [
        (0, 8, "stripes must be at least 1. Received: stripes=0"),
        (4, 3, r"4 stripes needs a feature map of at least as many rows.*Received: a map of shape \(None, 3, 4, 2\)"),
        (2, None, "Received: a map of shape"),
    ],
)
def test_what_is_refused(stripes, rows, message):
    with pytest.raises(InputError, match=message):
        StripePooling(stripes)(keras.Input((rows, 4, 2)))
