import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.losses import MaskedBinaryCrossentropy, masked_binary_crossentropy


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.integers(-1, 2, (5, 7)), rng.uniform(0.01, 0.99, (5, 7)).astype(np.float32)


def test_equals_a_loop(batch):
    targets, probabilities = batch
    expected = [
        sum(-np.log(p if t else 1 - p) for t, p in zip(row, values, strict=True) if t >= 0)
        for row, values in zip(targets, probabilities, strict=True)
    ]
    np.testing.assert_allclose(masked_binary_crossentropy(targets, probabilities), expected, rtol=1e-5)


def test_equals_keras_where_all_is_known(batch):
    targets, probabilities = np.abs(batch[0]), batch[1]
    expected = keras.losses.BinaryCrossentropy(reduction=None)(targets, probabilities) * 7
    np.testing.assert_allclose(masked_binary_crossentropy(targets, probabilities), expected, rtol=1e-4)


def test_images_without_labels_give_nothing(batch):
    probabilities = tf.Variable(batch[1])
    with tf.GradientTape() as tape:
        loss = MaskedBinaryCrossentropy()(np.full((5, 7), -1), probabilities)
    assert float(loss) == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, probabilities), np.zeros((5, 7)))


@pytest.mark.parametrize("logit", [-40.0, 15.0])
def test_confident_mistakes_keep_their_gradient(logit):
    logits = tf.Variable([[logit]])
    with tf.GradientTape() as tape:
        loss = masked_binary_crossentropy([[int(logit < 0)]], keras.ops.sigmoid(logits))
    assert float(tape.gradient(loss, logits)[0, 0]) == pytest.approx(np.sign(logit), abs=0.1)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_and_order_change_nothing(batch, policy):
    expected = float(MaskedBinaryCrossentropy()(*batch))
    keras.config.set_dtype_policy(policy)
    try:
        assert float(MaskedBinaryCrossentropy()(*batch)) == expected
    finally:
        keras.config.set_dtype_policy("float32")
    rows = np.array(masked_binary_crossentropy(*batch))
    np.testing.assert_array_equal(masked_binary_crossentropy(batch[0][::-1], batch[1][::-1]), rows[::-1])


def test_saturated_sigmoids_are_finite():
    probabilities = tf.Variable([[0.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = masked_binary_crossentropy([[1, 0]], probabilities)
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, probabilities)).all()


def test_mean_and_sum_over_images_and_pairs(batch):
    targets, probabilities = batch
    rows = np.array(masked_binary_crossentropy(targets, probabilities))
    assert float(MaskedBinaryCrossentropy()(targets, probabilities)) == pytest.approx(rows.mean(), rel=1e-5)
    assert float(MaskedBinaryCrossentropy("sum")(targets, probabilities)) == pytest.approx(rows.sum(), rel=1e-5)
    pairs = MaskedBinaryCrossentropy().call(targets[:4].reshape(2, 2, 7), probabilities[:4].reshape(2, 2, 7))
    np.testing.assert_allclose(pairs, rows[:4].reshape(2, 2), rtol=1e-6)


def test_the_config_is_the_constructors_arguments():
    assert MaskedBinaryCrossentropy("sum", name="a").get_config() == {"reduction": "sum", "name": "a"}
