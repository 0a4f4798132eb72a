import numpy as np
import pytest
import tensorflow as tf

from reid_tf.pipeline.augment.geometry import move_landmarks, take_windows


@pytest.mark.parametrize(("height", "width"), [(256, 128), (227, 227), (97, 41), (33, 500), (5, 3)])
def test_windows_equal_slices(height, width):
    rng = np.random.default_rng(height)
    images = rng.uniform(0, 255, (40, height, width, 3)).astype(np.float32)
    size = (int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1)))
    top, left = rng.integers(0, height - size[0] + 1, 40), rng.integers(0, width - size[1] + 1, 40)
    top[:2], left[:2] = (0, height - size[0]), (width - size[1], 0)  # the corners, whatever is drawn
    mirrored = rng.random(40) < 0.5
    for flags in (None, mirrored):
        windows = take_windows(
            tf.constant(images), tf.constant(top, tf.int32), tf.constant(left, tf.int32), size, flags
        ).numpy()
        for index, window in enumerate(windows):
            expected = images[index, top[index] : top[index] + size[0], left[index] : left[index] + size[1]]
            np.testing.assert_array_equal(window, expected[:, ::-1] if flags is not None and flags[index] else expected)


def test_a_window_of_the_whole_image_is_the_image():
    images = np.random.default_rng(0).uniform(0, 255, (3, 256, 128, 3)).astype(np.float32)
    zeros = tf.zeros([3], tf.int32)
    np.testing.assert_array_equal(take_windows(tf.constant(images), zeros, zeros, (256, 128)), images)


def test_landmarks_that_leave_the_image_lose_their_confidence():
    landmarks = np.zeros((2, 3, 3), np.float32)
    landmarks[:, :, 0] = [0.0, 0.5, 1.0]
    landmarks[:, :, 1] = 0.5
    landmarks[:, :, 2] = [0.7, 0.8, 0.9]
    moved = move_landmarks(
        tf.constant(landmarks), tf.constant([2.0, 1.0]), tf.constant([[-0.5, 0.0], [0.0, -0.6]])
    ).numpy()
    np.testing.assert_allclose(moved[0], [[-0.5, 0.5, 0.0], [0.5, 0.5, 0.8], [1.5, 0.5, 0.0]], atol=1e-6)
    np.testing.assert_allclose(moved[1, :, 2], 0.0)
