import math

import cv2
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.random_rotation import random_rotation, rotate_images, rotate_landmarks

SIZE = (41, 21)


@pytest.mark.parametrize("degrees", [0.0, 7.0, -20.0, 90.0])
def test_equals_opencv(degrees):
    image = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (*SIZE, 3)).astype(np.float32), (5, 5), 2)
    turned = rotate_images(tf.constant(image[np.newaxis]), tf.constant([math.radians(degrees)], tf.float32), 0.0)[0]
    # OpenCV counts angles against the clock, with y pointing up.
    matrix = cv2.getRotationMatrix2D(((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2), -degrees, 1.0)
    expected = cv2.warpAffine(image, matrix, SIZE[::-1], flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones(SIZE, np.float32), matrix, SIZE[::-1]) > 0.999
    # OpenCV 4 places pixels on a grid of 1/32.
    np.testing.assert_allclose(turned.numpy()[inside], expected[inside], atol=2)


def test_landmarks_follow_the_pixels():
    size = (61, 41)
    points = np.array([[12, 20], [20, 30], [28, 45]])  # x, y of bright spots
    image = np.zeros((1, *size, 3), np.float32)
    image[0, points[:, 1], points[:, 0]] = 255.0
    landmarks = np.concatenate([(points + 0.5) / size[::-1], np.ones((3, 1))], axis=1)[np.newaxis].astype(np.float32)
    angles = tf.constant([math.radians(15)], tf.float32)
    turned = rotate_images(tf.constant(image), angles, 0.0)[0, :, :, 0].numpy()
    moved = rotate_landmarks(tf.constant(landmarks), angles, size)[0].numpy()
    for x, y, confidence in moved:
        column, row = x * size[1] - 0.5, y * size[0] - 0.5
        window = turned[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3]
        rows, columns = np.mgrid[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3]
        assert np.sum(window * rows) / np.sum(window) == pytest.approx(row, abs=0.3)
        assert np.sum(window * columns) / np.sum(window) == pytest.approx(column, abs=0.3)
        assert confidence == 1.0


def test_landmarks_that_leave_the_image_lose_their_confidence():
    corner = tf.constant([[[0.02, 0.02, 0.9], [0.5, 0.5, 0.9]]])
    moved = rotate_landmarks(corner, tf.constant([math.radians(40)], tf.float32), (128, 64))[0].numpy()
    np.testing.assert_allclose(moved[:, 2], [0.0, 0.9])


def test_angles_are_uniform_over_the_documented_range():
    # A vertical line through the centre, far above it: its sideways shift tells the angle.
    centre = tf.tile(tf.constant([[[0.5, 0.1, 1.0]]]), [4000, 1, 1])
    batch = {"image": tf.zeros([4000, 8, 8, 3]), "landmarks": centre}
    after = random_rotation(degrees=30.0)(batch, tf.constant([1, 2]))["landmarks"].numpy()[:, 0]
    angles = np.degrees(np.arctan2(after[:, 0] - 0.5, 0.5 - after[:, 1]))
    counts, _ = np.histogram(angles, bins=6, range=(-30, 30))
    assert counts.sum() == 4000
    assert np.all(np.abs(counts - 4000 / 6) < 4 * np.sqrt(4000 * 5 / 36))


def test_corners_are_filled(apply):
    batch = {"image": tf.fill([50, *SIZE, 3], 200.0)}
    after = apply(random_rotation(degrees=45.0, fill=7.0), batch)["image"]
    assert after.min() == pytest.approx(7.0)
    assert after.max() == pytest.approx(200.0, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degrees": -1.0}, r"must lie in \[0, 180\]. Received: -1"),
        ({"fill": 300.0}, "must lie in 0..255. Received: 300"),
    ],
)
def test_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        random_rotation(**options)
