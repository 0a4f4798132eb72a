import numpy as np
import pytest

from reid_tf.losses.belief_maps import draw_belief_maps
from reid_tf.pose.belief_maps import landmarks_of

SIZE = (16, 8)
CELLS = np.array([SIZE[1], SIZE[0]])  # x, y


def drawn(landmarks: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    maps = np.array(draw_belief_maps(landmarks, SIZE, sigma))
    return np.concatenate([maps, 1 - maps.max(axis=-1, keepdims=True)], axis=-1)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
def test_drawn_landmarks_are_read_back(sigma):
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(0, 1, (50, 18, 3))
    landmarks[..., :2] = 1.5 / CELLS + landmarks[..., :2] * (1 - 3 / CELLS)  # a neighbour on each side
    landmarks[..., 2] = 1.0
    read = landmarks_of(drawn(landmarks, sigma))
    assert read.shape == (50, 18, 3)
    assert read.dtype == np.float32
    assert np.abs((read - landmarks)[..., :2] * CELLS).max() < 0.01
    np.testing.assert_allclose(read[..., 2], drawn(landmarks, sigma)[..., :-1].max(axis=(1, 2)), rtol=1e-6)


def test_noisy_maps_are_read_within_a_fraction_of_a_cell():
    rng = np.random.default_rng(0)
    landmarks = np.concatenate([rng.uniform(0.2, 0.8, (50, 18, 2)), np.ones((50, 18, 1))], axis=-1)
    noisy = drawn(landmarks) + rng.normal(0, 0.02, (50, *SIZE, 19))
    errors = np.abs((landmarks_of(noisy) - landmarks)[..., :2] * CELLS)
    assert np.percentile(errors, 99) < 0.25
    # What the refinement is for: the centres of the cells alone are a quarter of a cell away on average.
    assert errors.mean() < 0.06


def test_at_the_border_it_is_the_centre_of_the_cell():
    corners = np.array([[[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]])
    read = landmarks_of(drawn(corners))
    np.testing.assert_allclose(read[0, :, :2] * CELLS, [[0.5, 0.5], [7.5, 15.5]], rtol=1e-6)


def test_the_confidence_is_the_peak_within_0_and_1_and_the_background_is_not_read():
    maps = np.full((1, *SIZE, 4), -0.1, np.float32)
    maps[0, 3, 4, :] = 1.7, 0.25, -0.05, 9.0
    read = landmarks_of(maps)
    np.testing.assert_allclose(read[0, :, 2], [1.0, 0.25, 0.0])
    np.testing.assert_allclose(read[0, :, :2], [[4.5 / 8, 3.5 / 16]] * 3)


def test_a_flat_map_and_no_image():
    flat = landmarks_of(np.zeros((2, *SIZE, 19)))
    assert np.isfinite(flat).all()
    assert not flat[..., 2].any()
    assert landmarks_of(np.zeros((0, *SIZE, 19))).shape == (0, 18, 3)
