"""The metric losses beside triplet: naive loops, another library's numbers, gradients, half precision."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.layers import CentreDistances, CosineClassifier
from reid_tf.losses import ArcFaceLoss, CentreLoss, CircleLoss, CosFaceLoss, SupervisedContrastiveLoss
from reid_tf.losses.class_head import ClassHeadLoss
from reid_tf.registry import METRIC_LOSSES

# One identity has a single image.
IDENTITIES = np.array([2, 2, 2, 0, 0, 1, 1, 1, 1, 3])
CLASSES, DIM = 4, 6
IN_A_BATCH = {"circle": CircleLoss, "supervised_contrastive": SupervisedContrastiveLoss}
WITH_CLASSES = {"arcface": ArcFaceLoss, "cosface": CosFaceLoss, "centre": CentreLoss}
every = pytest.mark.parametrize(
    "make", [*IN_A_BATCH.values(), *WITH_CLASSES.values()], ids=[*IN_A_BATCH, *WITH_CLASSES]
)


@pytest.fixture
def embeddings() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.4, (len(IDENTITIES), DIM)).astype(np.float32)


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (CLASSES, DIM)).astype(np.float32)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def prediction(loss: keras.losses.Loss, embeddings, vectors=None):
    """What a model gives the loss."""
    if not isinstance(loss, ClassHeadLoss):
        return embeddings
    head = loss.head(CLASSES)
    head.build((None, embeddings.shape[-1]))
    head.vectors.assign(np.ones(head.vectors.shape) if vectors is None else vectors)
    return head(embeddings)


def naive_circle(embeddings: np.ndarray, gamma: float, margin: float) -> list[float]:
    values = []
    for anchor, person in enumerate(IDENTITIES):
        positive = negative = 0.0
        for other, another in enumerate(IDENTITIES):
            similarity = float(unit(embeddings[anchor]) @ unit(embeddings[other]))
            if other == anchor:
                continue
            if person == another:
                weight = max(0.0, 1 + margin - similarity)
                positive += math.exp(-gamma * weight * (similarity - (1 - margin)))
            else:
                weight = max(0.0, similarity + margin)
                negative += math.exp(gamma * weight * (similarity - margin))
        values.append(math.log(1 + positive * negative))
    return values


def naive_contrastive(embeddings: np.ndarray, temperature: float) -> list[float]:
    values = []
    for anchor, person in enumerate(IDENTITIES):
        similarity = [math.exp(float(unit(embeddings[anchor]) @ unit(other)) / temperature) for other in embeddings]
        total = sum(similarity) - similarity[anchor]
        positives = [i for i, another in enumerate(IDENTITIES) if another == person and i != anchor]
        terms = [-math.log(similarity[i] / total) for i in positives]
        values.append(sum(terms) / len(terms) if terms else 0.0)
    return values


def naive_margin(embeddings: np.ndarray, vectors: np.ndarray, scale: float, with_margin) -> list[float]:
    values = []
    for embedding, person in zip(embeddings, IDENTITIES, strict=True):
        logits = []
        for index, vector in enumerate(vectors):
            angle = math.acos(float(unit(embedding) @ unit(vector)))
            logits.append(scale * (with_margin(angle) if index == person else math.cos(angle)))
        values.append(math.log(sum(map(math.exp, logits))) - logits[person])
    return values


@pytest.mark.parametrize(("gamma", "margin"), [(2.0, 0.25), (8.0, 0.4)])
def test_circle_equals_the_loop(embeddings, gamma, margin):
    loss = CircleLoss(gamma=gamma, margin=margin)
    np.testing.assert_allclose(
        loss.call(IDENTITIES, embeddings), naive_circle(embeddings, gamma, margin), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_supervised_contrastive_equals_the_loop(embeddings, temperature):
    loss = SupervisedContrastiveLoss(temperature=temperature)
    np.testing.assert_allclose(
        loss.call(IDENTITIES, embeddings), naive_contrastive(embeddings, temperature), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.5])
def test_arcface_equals_the_loop(embeddings, vectors, margin):
    def with_margin(angle: float) -> float:
        falls = angle + margin < math.pi
        return math.cos(angle + margin) if falls else math.cos(angle) - margin * math.sin(margin)

    loss = ArcFaceLoss(margin=margin, scale=8.0)
    expected = naive_margin(embeddings, vectors, 8.0, with_margin)
    np.testing.assert_allclose(loss.call(IDENTITIES, prediction(loss, embeddings, vectors)), expected, rtol=1e-4)


def test_cosface_equals_the_loop(embeddings, vectors):
    loss = CosFaceLoss(margin=0.3, scale=8.0)
    expected = naive_margin(embeddings, vectors, 8.0, lambda angle: math.cos(angle) - 0.3)
    np.testing.assert_allclose(loss.call(IDENTITIES, prediction(loss, embeddings, vectors)), expected, rtol=1e-4)


def test_centre_equals_the_loop(embeddings, vectors):
    loss = CentreLoss()
    expected = [0.5 * sum((embeddings[image] - vectors[person]) ** 2) for image, person in enumerate(IDENTITIES)]
    np.testing.assert_allclose(loss.call(IDENTITIES, prediction(loss, embeddings, vectors)), expected, rtol=1e-4)


# From pytorch-metric-learning 2.9.0 on PyTorch 2.13.0, with `reducer=MeanReducer()` and these arrays; it takes the
# angular margin in degrees.
PUBLISHED_EMBEDDINGS = np.sin(np.arange(48) * 1.7).reshape(12, 4).astype(np.float32)
PUBLISHED_IDENTITIES = np.repeat([0, 1, 2], 4)
PUBLISHED_VECTORS = np.cos(np.arange(12) * 0.9).reshape(3, 4).astype(np.float32)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (CircleLoss(gamma=80.0, margin=0.4), 62.047550),
        (CircleLoss(), 123.923676),
        (CircleLoss(gamma=2.0), 3.949559),
        (SupervisedContrastiveLoss(), 3.307626),
        (SupervisedContrastiveLoss(temperature=0.5), 1.781742),
        (ArcFaceLoss(), 18.898987),
        (ArcFaceLoss(margin=2.5, scale=8.0), 13.158352),
        (ArcFaceLoss(margin=0.0, scale=1.0), 1.025842),
        (CosFaceLoss(), 17.521547),
        (CosFaceLoss(margin=1.0, scale=4.0), 4.680476),
    ],
)
def test_the_numbers_of_another_library(loss, expected):
    given = PUBLISHED_EMBEDDINGS
    if isinstance(loss, ClassHeadLoss):
        head = CosineClassifier(3)
        head.build((None, 4))
        head.vectors.assign(PUBLISHED_VECTORS)
        given = head(given)
    assert float(loss(PUBLISHED_IDENTITIES, given)) == pytest.approx(expected, rel=2e-6)


@every
def test_order_and_pairs_of_the_batch_change_nothing(make, embeddings, vectors):
    loss = make()
    given = np.asarray(prediction(loss, embeddings, vectors))
    expected = np.asarray(loss.call(IDENTITIES, given))
    order = np.random.default_rng(2).permutation(len(IDENTITIES))
    np.testing.assert_allclose(loss.call(IDENTITIES[order], given[order]), expected[order], rtol=1e-3, atol=1e-5)
    pairs = loss.call(IDENTITIES.reshape(5, 2), given.reshape(5, 2, -1))
    assert pairs.shape == (5, 2)
    np.testing.assert_allclose(np.reshape(pairs, -1), expected, rtol=1e-3, atol=1e-5)


@every
@pytest.mark.parametrize("identities", [np.arange(4), np.zeros(4, int)], ids=["no positive", "one identity"])
@pytest.mark.parametrize("same_image", [False, True], ids=["different", "equal"])
def test_gradients_are_finite(make, embeddings, identities, same_image):
    loss = make()
    variable = tf.Variable(np.repeat(embeddings[:1], 4, axis=0) if same_image else embeddings[:4])
    with tf.GradientTape() as tape:
        value = loss(identities, prediction(loss, variable))
    assert np.all(np.isfinite(tape.gradient(value, variable)))
    assert math.isfinite(float(value))
    if not isinstance(loss, ClassHeadLoss) and len(set(identities)) == 4:
        assert float(value) == 0.0


@every
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_embeddings(make, embeddings, vectors, dtype):
    loss = make()
    half = tf.cast(embeddings, dtype)
    expected = float(loss(IDENTITIES, prediction(loss, tf.cast(half, "float32"), vectors)))
    received = loss(IDENTITIES, prediction(loss, half, vectors))
    assert received.dtype == "float32"
    assert float(received) == pytest.approx(expected, rel=1e-5)


@every
def test_its_configuration_makes_it_again(make):
    loss = make()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is make
    assert again.get_config() == loss.get_config()
    assert METRIC_LOSSES.get(loss.name) is make


@pytest.mark.parametrize("make", [ArcFaceLoss, CosFaceLoss])
def test_the_margin_grows_epoch_by_epoch(make):
    loss = make(margin=0.4, warmup_epochs=4)
    grown = []
    for epoch in (0, 1, 3, 4, 9):
        loss.begin_epoch(epoch)
        grown.append(float(loss.current_margin))
    np.testing.assert_allclose(grown, [0, 0.1, 0.3, 0.4, 0.4], rtol=1e-6)
    compiled = tf.function(loss.call)
    cosines = np.full((1, 2), 0.5, np.float32)
    losses = []
    for epoch in (0, 4):
        loss.begin_epoch(epoch)
        losses.append(float(compiled(np.array([0]), cosines)[0]))
    assert losses[0] == pytest.approx(math.log(2), rel=1e-5)
    assert losses[1] > 1.0, "the traced function follows"


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (CircleLoss, {"gamma": 0.0}, r"gamma must be above 0\. Received: gamma=0\.0"),
        (CircleLoss, {"margin": 1.0}, r"margin must be between 0 and 1\. Received: margin=1\.0"),
        (
            SupervisedContrastiveLoss,
            {"temperature": -0.1},
            r"temperature must be above 0\. Received: temperature=-0\.1",
        ),
        (ArcFaceLoss, {"margin": 3.2}, r"angle of at least 0 and below pi\. Received: margin=3\.2"),
        (ArcFaceLoss, {"margin": math.nan}, r"below pi\. Received: margin=nan"),
        (ArcFaceLoss, {"scale": 0.0}, r"scale must be above 0\. Received: scale=0\.0"),
        (CosFaceLoss, {"margin": -0.1}, r"margin must be at least 0 and below 2\. Received: margin=-0\.1"),
        (CosFaceLoss, {"warmup_epochs": -1}, r"warmup_epochs must be at least 0\. Received: warmup_epochs=-1"),
    ],
)
def test_what_is_out_of_range_is_named(make, options, message):
    with pytest.raises(InputError, match=message):
        make(**options)


@pytest.mark.parametrize("layer", [CosineClassifier(3, name="a"), CentreDistances(3, name="b")])
def test_a_layer_of_class_vectors_is_saved_and_reopened(layer, embeddings, tmp_path):
    embedding = keras.Input((DIM,), dtype="float16")
    model = keras.Model(embedding, layer(embedding))
    assert model.output.dtype == "float32"
    layer.vectors.assign(np.random.default_rng(0).normal(size=(3, DIM)))
    model.save(tmp_path / "model.keras")
    reopened = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reopened(embeddings), model(embeddings))
    assert layer.compute_output_shape((None, 2, DIM)) == (None, 2, 3)
