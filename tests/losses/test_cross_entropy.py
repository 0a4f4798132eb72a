import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.losses import CrossEntropy, cross_entropy


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 5)).astype(np.float32) * 3
    return rng.integers(0, 5, 6), logits, keras.ops.convert_to_numpy(keras.ops.softmax(logits))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_keras_on_one_hot_targets(batch, smoothing):
    classes, _, probabilities = batch
    expected = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing, reduction=None)(
        np.eye(5, dtype=np.float32)[classes], probabilities
    )
    np.testing.assert_allclose(cross_entropy(classes, probabilities, smoothing), expected, rtol=1e-5)


def test_a_confident_mistake_keeps_its_gradient():
    """Softmax outputs far below 1e-7, where Keras clips: the gradient must still be p - y."""
    logits = tf.Variable([[60.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = cross_entropy([1], keras.ops.softmax(logits))
    np.testing.assert_allclose(loss, [60.0], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, logits), [[1.0, -1.0, 0.0]], atol=1e-5)


def test_an_underflowed_probability_is_finite():
    probabilities = tf.Variable([[1.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = cross_entropy([1], probabilities)
    assert np.isfinite(loss.numpy()).all()
    assert np.isfinite(tape.gradient(loss, probabilities).numpy()).all()


def test_permuting_the_batch_permutes_the_values(batch):
    classes, _, probabilities = batch
    order = [3, 1, 0, 5, 2, 4]
    values = np.array(cross_entropy(classes, probabilities, 0.1))
    np.testing.assert_array_equal(cross_entropy(classes[order], probabilities[order], 0.1), values[order])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_identities_above_256_stay_apart_in_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        loss = CrossEntropy()
        probabilities = np.full((1, 751), 1e-4, np.float32)
        probabilities[0, 513] = 0.925
        right, neighbour = (float(loss(np.array([index]), probabilities)) for index in (513, 512))
    finally:
        keras.config.set_dtype_policy("float32")
    assert right == pytest.approx(-np.log(0.925), rel=1e-5)
    assert neighbour == pytest.approx(-np.log(1e-4), rel=1e-5)


def test_the_class_is_the_mean_and_has_its_constructors_config(batch):
    classes, _, probabilities = batch
    loss = CrossEntropy(label_smoothing=0.2)
    assert loss.get_config() == {"label_smoothing": 0.2, "reduction": "mean", "name": "cross_entropy"}
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    expected = np.mean(cross_entropy(classes, probabilities, 0.2))
    assert float(again(classes[:, None], probabilities)) == pytest.approx(expected, rel=1e-6)


def test_smoothing_out_of_range():
    with pytest.raises(InputError, match=r"in \[0, 1\). Received: 1.0"):
        CrossEntropy(label_smoothing=1.0)
