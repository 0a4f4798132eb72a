import inspect
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.losses import TripletLoss
from tests.losses.naive_triplets import naive_triplet_loss

IDENTITIES = np.array([3, 3, 3, 7, 7, 1, 1, 1, 1, 5])  # one identity has a single image


@pytest.fixture
def embeddings() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.4, (len(IDENTITIES), 6)).astype(np.float32)


@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean", "cosine"])
@pytest.mark.parametrize("mining", ["batch_hard", "all", "semi_hard", "hardest_negatives"])
@pytest.mark.parametrize("margin", [0.4, "soft"])
@pytest.mark.parametrize("reduction", ["mean", "mean_active", "sum"])
def test_equals_naive_loops(embeddings, distance, mining, margin, reduction):
    loss = TripletLoss(distance=distance, mining=mining, margin=margin, hardest=3, reduction=reduction)
    expected = naive_triplet_loss(
        IDENTITIES, embeddings, distance, mining, None if margin == "soft" else margin, 3, reduction
    )
    assert expected.any()
    np.testing.assert_allclose(loss.call(IDENTITIES, embeddings), expected, rtol=1e-4, atol=1e-5)
    total = expected.sum() if reduction == "sum" else expected.mean()
    assert float(loss(IDENTITIES, embeddings)) == pytest.approx(total, rel=1e-4)


def test_more_negatives_wanted_than_there_are(embeddings):
    few = TripletLoss(mining="hardest_negatives", hardest=50).call(IDENTITIES, embeddings)
    np.testing.assert_allclose(few, TripletLoss(mining="all").call(IDENTITIES, embeddings), rtol=1e-5)


def test_unit_length_first(embeddings):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    scaled = TripletLoss(normalize=True).call(IDENTITIES, 5 * embeddings)
    np.testing.assert_allclose(scaled, naive_triplet_loss(IDENTITIES, unit), rtol=1e-4, atol=1e-5)


def test_pairs_are_one_batch_of_images(embeddings):
    loss = TripletLoss()
    values = np.array(loss.call(IDENTITIES.reshape(5, 2), embeddings.reshape(5, 2, 6)))
    assert values.shape == (5, 2)
    np.testing.assert_allclose(values.reshape(-1), loss.call(IDENTITIES, embeddings), rtol=1e-6)


@pytest.mark.parametrize("mining", ["batch_hard", "all", "semi_hard", "hardest_negatives"])
@pytest.mark.parametrize("identities", [np.arange(6), np.zeros(6, int)], ids=["no positive", "no negative"])
def test_without_triplets_the_loss_is_zero_with_finite_gradients(mining, identities):
    embeddings = tf.Variable(np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32))
    for distance, margin in itertools.product(("euclidean", "squared_euclidean", "cosine"), (0.3, "soft")):
        with tf.GradientTape() as tape:
            loss = TripletLoss(distance=distance, mining=mining, margin=margin)(identities, embeddings)
        assert float(loss) == 0.0
        np.testing.assert_array_equal(tape.gradient(loss, embeddings), np.zeros((6, 4)))


@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean", "cosine"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_are_finite_where_embeddings_coincide(distance, value):
    embeddings = tf.Variable(np.full((8, 4), value, np.float32))
    for mining in ("batch_hard", "all", "semi_hard", "hardest_negatives"):
        with tf.GradientTape() as tape:
            loss = TripletLoss(distance=distance, mining=mining, margin="soft")(np.repeat([0, 1], 4), embeddings)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, embeddings)).all()


@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean", "cosine"])
def test_gradients_equal_finite_differences(embeddings, distance):
    loss = TripletLoss(distance=distance, mining="all", margin="soft")
    variable = tf.Variable(embeddings)
    with tf.GradientTape() as tape:
        value = loss(IDENTITIES, variable)
    gradient = np.array(tape.gradient(value, variable))
    direction = np.random.default_rng(2).normal(size=embeddings.shape)
    step = 1e-5
    up, down = (
        naive_triplet_loss(IDENTITIES, embeddings + sign * step * direction, distance, "all", None).mean()
        for sign in (1, -1)
    )
    assert np.sum(gradient * direction) == pytest.approx((up - down) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("mining", ["batch_hard", "all", "semi_hard", "hardest_negatives"])
def test_permuting_the_batch_permutes_the_values(embeddings, mining):
    order = np.random.default_rng(3).permutation(len(IDENTITIES))
    loss = TripletLoss(mining=mining)
    values = np.array(loss.call(IDENTITIES, embeddings))
    np.testing.assert_allclose(loss.call(IDENTITIES[order], embeddings[order]), values[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_changes_neither_distances_nor_identities(embeddings, policy):
    expected = float(TripletLoss()(IDENTITIES, embeddings))
    many = np.array([512, 512, 513, 513])  # the same number in bfloat16
    keras.config.set_dtype_policy(policy)
    try:
        assert float(TripletLoss()(IDENTITIES, embeddings)) == expected
        apart = float(TripletLoss()(many, embeddings[:4]))
    finally:
        keras.config.set_dtype_policy("float32")
    assert apart == pytest.approx(naive_triplet_loss(many, embeddings[:4]).mean(), rel=1e-4)


def test_the_config_is_the_constructors_arguments():
    loss = TripletLoss(
        distance="cosine", mining="all", margin=0.7, normalize=True, hardest=2, reduction="sum", name="t"
    )
    config = loss.get_config()
    assert set(config) == set(inspect.signature(TripletLoss).parameters)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == config
    assert config == {
        "distance": "cosine",
        "mining": "all",
        "margin": 0.7,
        "normalize": True,
        "hardest": 2,
        "reduction": "sum",
        "name": "t",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": -0.3}, "margin must be a number above 0, or 'soft'. Received: margin=-0.3"),
        ({"margin": "hard"}, "margin must be a number above 0, or 'soft'. Received: margin='hard'"),
        ({"margin": float("inf")}, "or 'soft'. Received: margin=inf"),
        ({"hardest": 0}, "hardest must be at least 1. Received: hardest=0"),
        ({"distance": "manhattan"}, "one of euclidean, .* Received: distance='manhattan'"),
        ({"mining": "easy"}, "one of batch_hard, .* Received: mining='easy'"),
        ({"reduction": "max"}, "one of mean, .* Received: reduction='max'"),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message):
        TripletLoss(**options)
