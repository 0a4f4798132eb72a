import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.losses import BeliefMapError, belief_map_error
from reid_tf.losses.belief_maps import draw_belief_maps

SIZE = (6, 5)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(0, 1, (4, 18, 3)).astype(np.float32)
    landmarks[:, ::4, 2] = 0.0
    return landmarks, rng.normal(0.1, 0.5, (4, *SIZE, 19)).astype(np.float32)


def drawn_naively(landmarks: np.ndarray, sigma: float) -> np.ndarray:
    """One cell after the other: the ideal maps of one image, background included."""
    height, width = SIZE
    maps = np.zeros((*SIZE, len(landmarks) + 1))
    for row in range(height):
        for column in range(width):
            for point, (x, y, confidence) in enumerate(landmarks):
                distance = np.hypot(column + 0.5 - x * width, row + 0.5 - y * height)
                maps[row, column, point] = confidence * np.exp(-(distance**2) / (2 * sigma**2))
            maps[row, column, -1] = 1 - maps[row, column, :-1].max()
    return maps


@pytest.mark.parametrize(("sigma", "peak_weight"), [(1.0, 0.0), (0.7, 0.0), (1.3, 2.5)])
def test_equals_a_loop(batch, sigma, peak_weight):
    landmarks, beliefs = batch
    expected = []
    for points, believed in zip(landmarks, beliefs, strict=True):
        ideal = drawn_naively(points, sigma)
        closeness = np.concatenate([ideal[..., :-1], 1 - ideal[..., -1:]], axis=-1)
        errors = (believed - ideal) ** 2 * (1 + peak_weight * closeness)
        expected.append(errors.sum() / 19 / (np.pi * sigma**2))
    np.testing.assert_allclose(belief_map_error(landmarks, beliefs, sigma, peak_weight), expected, rtol=1e-4)


def test_right_beliefs_cost_nothing_and_a_missed_or_misplaced_landmark_1_or_2():
    """On a large map the discrete sum is the integral; two maps: a landmark and the background, which mirrors it."""
    right, far = (np.array([[[x, 0.5, 1.0]]], np.float32) for x in (0.25, 0.75))
    maps = np.array(draw_belief_maps(np.concatenate([right, far]), (40, 40), 1.5))
    beliefs = np.concatenate([maps, 1 - maps], axis=-1)
    nothing = np.concatenate([0 * maps[:1], 1 + 0 * maps[:1]], axis=-1)
    cost = lambda believed: float(belief_map_error(right, believed, 1.5)[0])  # noqa: E731
    assert cost(beliefs[:1]) == 0.0
    assert cost(nothing) == pytest.approx(1.0, rel=1e-3)
    assert cost(beliefs[1:]) == pytest.approx(2.0, rel=1e-3)


def test_the_peak_is_where_the_landmark_is_and_as_high_as_its_confidence():
    centre_of_cell = [(3 + 0.5) / 5, (1 + 0.5) / 6]
    maps = np.array(draw_belief_maps([[[*centre_of_cell, 1.0], [*centre_of_cell, 0.3], [2.5, -1.0, 0.0]]], SIZE, 1.0))
    assert np.unravel_index(maps[0, :, :, 0].argmax(), SIZE) == (1, 3)
    np.testing.assert_allclose(maps[0, 1, 3], [1.0, 0.3, 0.0])
    np.testing.assert_allclose(maps[0, 1, 2, 0], np.exp(-0.5), rtol=1e-6)


def test_without_any_landmark_all_is_background():
    beliefs = tf.Variable(np.concatenate([np.zeros((2, *SIZE, 18)), np.ones((2, *SIZE, 1))], axis=-1), dtype="float32")
    with tf.GradientTape() as tape:
        loss = BeliefMapError(peak_weight=4.0)(np.zeros((2, 18, 3)), beliefs)
    assert float(loss) == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, beliefs), np.zeros(beliefs.shape))


def test_permuting_the_batch_permutes_the_values(batch):
    values = np.array(belief_map_error(*batch))
    np.testing.assert_allclose(belief_map_error(*(part[::-1] for part in batch)), values[::-1], rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_does_not_move_the_landmarks(batch, policy):
    expected = float(BeliefMapError()(*batch))
    keras.config.set_dtype_policy(policy)
    try:
        assert float(BeliefMapError()(*batch)) == expected
    finally:
        keras.config.set_dtype_policy("float32")


def test_mean_and_sum_over_images_and_the_constructors_config(batch):
    rows = np.array(belief_map_error(*batch, 1.2, 3.0))
    loss = BeliefMapError(1.2, 3.0, "sum", name="maps")
    assert loss.get_config() == {"sigma": 1.2, "peak_weight": 3.0, "reduction": "sum", "name": "maps"}
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert float(again(*batch)) == pytest.approx(rows.sum(), rel=1e-5)
    assert float(BeliefMapError(1.2, 3.0)(*batch)) == pytest.approx(rows.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "sigma must be positive. Received: sigma=0.0"),
        ({"peak_weight": -1.0}, "peak_weight must not be negative. Received: peak_weight=-1.0"),
    ],
)
def test_values_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        BeliefMapError(**options)
