import dataclasses

import cv2
import numpy as np
import pytest

from reid_tf.datasets.pedestrians.camera import draw_camera, encode, expose
from reid_tf.datasets.pedestrians.scene import COLUMNS, ROWS, cut_backdrop

GREY = np.full((64, 32, 3), 120, np.uint8)


def neutral():
    camera = draw_camera(np.random.default_rng(0))
    return dataclasses.replace(camera, mixing=np.eye(3), gamma=1.0, blur=0.0, sharpness=1.0, noise=0.0)


def mean_colour(camera):
    return np.mean([expose(camera, GREY, np.random.default_rng(n)).mean(axis=(0, 1)) for n in range(60)], axis=0)


def test_a_neutral_camera_keeps_the_mean_colour():
    np.testing.assert_allclose(mean_colour(neutral()), 120, atol=4)


def test_a_cast_changes_the_channels_as_it_says():
    cast = dataclasses.replace(neutral(), mixing=np.diag([1.25, 1.0, 0.75]))
    np.testing.assert_allclose(mean_colour(cast) / mean_colour(neutral()), [1.25, 1.0, 0.75], rtol=0.02)


def test_gamma_darkens_as_a_power():
    dark = dataclasses.replace(neutral(), gamma=2.0)
    np.testing.assert_allclose(mean_colour(dark), 255 * (120 / 255) ** 2, rtol=0.06)


def test_noise_and_blur_work_against_each_other():
    noisy = dataclasses.replace(neutral(), noise=6.0)
    laplacian = lambda camera: cv2.Laplacian(expose(camera, GREY, np.random.default_rng(0)), cv2.CV_32F).std()  # noqa: E731
    assert laplacian(noisy) > 10 * laplacian(neutral())


def test_cameras_differ_and_pictures_of_one_camera_less():
    cameras = [draw_camera(np.random.default_rng(n)) for n in range(20)]
    colours = [mean_colour(camera) for camera in cameras]
    one = [expose(cameras[0], GREY, np.random.default_rng(n)).mean(axis=(0, 1)) for n in range(20)]
    assert np.std(colours, axis=0).mean() > np.std(one, axis=0).mean()


def test_exposure_and_file_are_the_same_for_the_same_numbers():
    camera = draw_camera(np.random.default_rng(3))
    files = [encode(camera, expose(camera, GREY, np.random.default_rng(7))) for _ in range(2)]
    assert files[0] == files[1]
    decoded = cv2.imdecode(np.frombuffer(files[0], np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == GREY.shape


def test_a_file_keeps_red_red():
    red = np.zeros_like(GREY)
    red[..., 0] = 200
    decoded = cv2.imdecode(np.frombuffer(encode(neutral(), red), np.uint8), cv2.IMREAD_COLOR)  # BGR
    assert decoded[..., 2].mean() > 150 > 50 > decoded[..., 0].mean()


@pytest.mark.parametrize(("height", "width"), [(256, 95), (64, 24), (64, 900)])
def test_a_piece_of_the_backdrop_has_the_size_asked_for(height, width):
    backdrop = draw_camera(np.random.default_rng(1)).backdrop
    assert backdrop.shape == (ROWS, COLUMNS, 3)
    piece = cut_backdrop(backdrop, height, width, np.random.default_rng(2))
    assert piece.shape == (height, width, 3)
    assert piece.dtype == np.uint8
