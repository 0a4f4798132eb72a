"""The pose-constrained triplet loss against loops over anchors, and what poses are."""

import inspect
import itertools
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.losses import PoseTripletLoss, TripletLoss
from reid_tf.losses.pose_distances import pose_distances, poses
from reid_tf.metrics import triplet_metrics
from tests.losses.naive_triplets import naive_triplet_loss

IDENTITIES = np.array([3, 3, 3, 3, 7, 7, 7, 1, 1, 1, 5, 1])  # one identity has a single image
COUNT = len(IDENTITIES)
MINING = ["batch_hard", "all", "semi_hard", "hardest_negatives"]


@pytest.fixture
def embeddings() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.4, (COUNT, 6)).astype(np.float32)


@pytest.fixture
def landmarks() -> np.ndarray:
    """Three poses with some noise; one image shows two landmarks, one none."""
    rng = np.random.default_rng(1)
    places = rng.uniform(0.1, 0.9, (3, 18, 2))[rng.integers(0, 3, COUNT)] + rng.normal(0, 0.05, (COUNT, 18, 2))
    made = np.concatenate([places, rng.uniform(0.1, 1.0, (COUNT, 18, 1))], axis=-1).astype(np.float32)
    made[2, 2:, 2] = 0
    made[8, :, 2] = 0
    return made


def labels(identities: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return np.concatenate([identities[:, None], landmarks.reshape(len(landmarks), -1)], axis=1).astype(np.float32)


def naive_poses(landmarks: np.ndarray, least_confidence: float) -> list[dict[int, np.ndarray]]:
    """Of each image the visible landmarks by number."""
    result = []
    for image in landmarks.astype(np.float64):
        seen = {number: row[:2] for number, row in enumerate(image) if row[2] >= least_confidence}
        if seen:
            low, high = (function(list(seen.values()), axis=0) for function in (np.min, np.max))
            seen = {number: (place - (low + high) / 2) / np.maximum(high - low, 0.1) for number, place in seen.items()}
        result.append(seen)
    return result


def naive_distance(a: dict, b: dict, common_landmarks: int) -> float | None:
    common = a.keys() & b.keys()
    return np.mean([np.linalg.norm(a[n] - b[n]) for n in common]) if len(common) >= common_landmarks else None


def keep(anchor, others, positive, of_images, different_pose, same_pose, common_landmarks):
    limit = different_pose if positive else same_pose
    if limit is None:
        return others
    kept = []
    for other in others:
        apart = naive_distance(of_images[anchor], of_images[other], common_landmarks)
        if apart is None or (apart >= limit if positive else apart <= limit):
            kept.append(other)
    return kept or others


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("margin", [0.4, "soft"])
@pytest.mark.parametrize("reduction", ["mean", "mean_active", "sum"])
@pytest.mark.parametrize("limits", [(0.3, 0.3), (None, 0.35), (0.2, None), (5.0, 0.01)])
def test_equals_naive_loops(embeddings, landmarks, mining, margin, reduction, limits):
    soft = None if margin == "soft" else margin
    for distance, (confidence, common) in itertools.product(("euclidean", "cosine"), ((0.2, 6), (0.5, 2))):
        loss = PoseTripletLoss(
            different_pose=limits[0],
            same_pose=limits[1],
            least_confidence=confidence,
            common_landmarks=common,
            distance=distance,
            mining=mining,
            margin=margin,
            hardest=3,
            reduction=reduction,
        )
        constrain = partial(
            keep,
            of_images=naive_poses(landmarks, confidence),
            different_pose=limits[0],
            same_pose=limits[1],
            common_landmarks=common,
        )
        expected = naive_triplet_loss(IDENTITIES, embeddings, distance, mining, soft, 3, reduction, constrain)
        values = loss.call(labels(IDENTITIES, landmarks), embeddings)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_each_side_changes_the_loss(embeddings, landmarks):
    values = [
        float(PoseTripletLoss(different_pose=a, same_pose=b)(labels(IDENTITIES, landmarks), embeddings))
        for a, b in ((None, None), (0.3, None), (None, 0.3), (0.3, 0.3))
    ]
    assert len(set(values)) == 4


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("limits", [(None, None), (0.0, 2.0), (0.0, None)])
def test_without_limits_it_is_the_plain_loss(embeddings, landmarks, mining, limits):
    loss = PoseTripletLoss(different_pose=limits[0], same_pose=limits[1], mining=mining)
    plain = TripletLoss(mining=mining).call(IDENTITIES, embeddings)
    np.testing.assert_array_equal(loss.call(labels(IDENTITIES, landmarks), embeddings), plain)


@pytest.mark.parametrize("mining", MINING)
def test_images_without_landmarks_are_not_constrained(embeddings, landmarks, mining):
    unseen = labels(IDENTITIES, landmarks * np.float32([1, 1, 0]))
    plain = TripletLoss(mining=mining).call(IDENTITIES, embeddings)
    np.testing.assert_array_equal(PoseTripletLoss(mining=mining).call(unseen, embeddings), plain)


def test_a_hand_made_batch():
    upright = np.random.default_rng(0).uniform(0.2, 0.8, (18, 2))
    mirrored = upright * [-1, 1] + [1, 0]
    landmarks = np.ones((5, 18, 3), np.float32)
    landmarks[:, :, :2] = [upright, upright, mirrored, upright, mirrored]
    identities = np.array([0, 0, 0, 1, 1])
    embeddings = np.float32([[0.0], [5.0], [1.0], [3.0], [0.5]])
    # Of the first, the farthest positive is the second, in the same pose; the third is the one in another. The nearest
    # negative is the fifth, in another pose; the fourth is in the same.
    loss = PoseTripletLoss(different_pose=0.1, same_pose=0.1, margin=4.0)
    triplets = loss.mine(labels(identities, landmarks), embeddings)
    assert (float(triplets.positive[0, 0]), float(triplets.negative[0, 0])) == (1.0, 3.0)
    assert float(loss.call(labels(identities, landmarks), embeddings)[0]) == 2.0


def test_a_pose_depends_neither_on_place_nor_on_size(landmarks):
    large = np.delete(landmarks, 2, axis=0)
    moved = large * np.float32([0.5, 0.8, 1]) + np.float32([0.3, 0.05, 0])
    for before, after in zip(poses(large, 0.2), poses(moved, 0.2), strict=True):
        np.testing.assert_allclose(before, after, atol=1e-5)


def test_a_box_without_width_leaves_finite_poses(landmarks):
    landmarks[:, :, 0] = 0.5
    places, visible = (np.array(part) for part in poses(landmarks, 0.2))
    np.testing.assert_array_equal(places[..., 0], 0)
    assert np.isfinite(places).all()
    assert np.abs(places[visible]).max() <= 0.5 + 1e-6


def test_distances_are_known_with_enough_landmarks_in_common(landmarks):
    known = np.array(pose_distances(landmarks, 0.2, 6)[1])
    assert not known[8].any()  # no landmark
    assert not known[2].any()  # two
    assert known[0, 1]
    assert np.array(pose_distances(landmarks, 0.2, 2)[1])[2].any()


def test_landmarks_that_are_not_visible_do_not_count(landmarks):
    elsewhere = landmarks.copy()
    elsewhere[landmarks[:, :, 2] < 0.2, :2] = 77.0
    for before, after in zip(pose_distances(landmarks, 0.2, 6), pose_distances(elsewhere, 0.2, 6), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("identities", [np.arange(6), np.zeros(6, int)], ids=["no positive", "no negative"])
def test_without_triplets_the_loss_is_zero_with_finite_gradients(landmarks, mining, identities):
    embeddings = tf.Variable(np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32))
    for margin in (0.3, "soft"):
        with tf.GradientTape() as tape:
            loss = PoseTripletLoss(mining=mining, margin=margin)(labels(identities, landmarks[:6]), embeddings)
        assert float(loss) == 0.0
        np.testing.assert_array_equal(tape.gradient(loss, embeddings), np.zeros((6, 4)))


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("confidence", [0.0, 1.0], ids=["no landmarks", "coinciding landmarks"])
def test_gradients_are_finite_where_embeddings_coincide(value, confidence):
    embeddings = tf.Variable(np.full((8, 4), value, np.float32))
    given = labels(np.repeat([0, 1], 4), np.full((8, 18, 3), [0.5, 0.5, confidence], np.float32))
    for mining, distance in itertools.product(MINING, ("euclidean", "squared_euclidean", "cosine")):
        with tf.GradientTape() as tape:
            loss = PoseTripletLoss(mining=mining, distance=distance, margin="soft")(given, embeddings)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, embeddings)).all()


@pytest.mark.parametrize("mining", MINING)
def test_permuting_the_batch_permutes_the_values(embeddings, landmarks, mining):
    order = np.random.default_rng(3).permutation(COUNT)
    given, loss = labels(IDENTITIES, landmarks), PoseTripletLoss(mining=mining)
    values = np.array(loss.call(given, embeddings))
    np.testing.assert_allclose(loss.call(given[order], embeddings[order]), values[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_changes_neither_identities_nor_poses(embeddings, landmarks, policy):
    identities = IDENTITIES + 70_000  # of which bfloat16 and float16 know none
    given = labels(identities, landmarks)
    expected = float(PoseTripletLoss()(given, embeddings))
    keras.config.set_dtype_policy(policy)
    try:
        assert float(PoseTripletLoss()(given, embeddings)) == expected
        half = tf.cast(embeddings, policy.removeprefix("mixed_"))
        assert float(PoseTripletLoss()(given, half)) == pytest.approx(expected, rel=0.02)
    finally:
        keras.config.set_dtype_policy("float32")


def test_trains_with_its_metrics(landmarks):
    keras.utils.set_random_seed(0)
    loss = PoseTripletLoss()
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=triplet_metrics(loss))
    data = np.random.default_rng(0).normal(size=(COUNT, 5)).astype(np.float32)
    given = labels(IDENTITIES, landmarks)
    history = model.fit(data, given, batch_size=COUNT, epochs=5, shuffle=False, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert {"active_triplets", "positive_distance", "negative_distance"} < set(history)


def test_metrics_count_the_pairs_of_all_poses(embeddings, landmarks):
    constrained, plain = triplet_metrics(PoseTripletLoss()), triplet_metrics(TripletLoss())
    for metric, other in zip(constrained, plain, strict=True):
        metric.update_state(labels(IDENTITIES, landmarks), embeddings)
        other.update_state(IDENTITIES, embeddings)
    for metric, other in zip(constrained[1:], plain[1:], strict=True):
        assert float(metric.result()) == float(other.result())


def test_the_defaults_are_those_of_the_plain_loss():
    plain, own = (inspect.signature(loss).parameters for loss in (TripletLoss, PoseTripletLoss))
    shared = set(plain) - {"name"}
    assert {name: own[name].default for name in shared} == {name: plain[name].default for name in shared}


def test_the_config_is_the_constructors_arguments():
    loss = PoseTripletLoss(
        different_pose=0.1, same_pose=None, least_confidence=0.4, common_landmarks=3, mining="all", reduction="sum"
    )
    config = loss.get_config()
    assert set(config) == set(inspect.signature(PoseTripletLoss).parameters)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert isinstance(again, PoseTripletLoss)
    assert again.get_config() == config
    assert (config["different_pose"], config["same_pose"], config["common_landmarks"]) == (0.1, None, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"different_pose": -0.1}, "different_pose must be at least 0, or null. Received: different_pose=-0.1"),
        ({"different_pose": float("nan")}, "different_pose must be at least 0.*different_pose=nan"),
        ({"same_pose": 0.0}, "same_pose must be above 0, or null. Received: same_pose=0.0"),
        ({"least_confidence": 0.0}, "least_confidence must be above 0 and at most 1. .*least_confidence=0.0"),
        ({"common_landmarks": 0}, "common_landmarks must be 1 to 18. Received: common_landmarks=0"),
        ({"common_landmarks": 19}, "common_landmarks must be 1 to 18. Received: common_landmarks=19"),
        ({"margin": -0.3}, "margin must be a number above 0, or 'soft'. Received: margin=-0.3"),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message):
        PoseTripletLoss(**options)


def test_labels_without_landmarks_are_refused(embeddings):
    with pytest.raises(InputError, match=r"labels \[batch, 55\].*Received: \[12\]"):
        PoseTripletLoss()(IDENTITIES, embeddings)
