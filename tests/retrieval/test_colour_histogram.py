import colorsys

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval.colour_histogram import BINS, DIMENSIONS, STRIPES, colour_histogram


def person(top, bottom, height=96, width=48, seed=0):
    image = np.full((height, width, 3), 128, np.int64)
    image[: height // 2], image[height // 2 :] = top, bottom
    noise = np.random.default_rng(seed).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def naive_histogram(image):
    stripes = np.array_split(image, STRIPES)
    result = np.zeros((STRIPES, *BINS))
    for number, stripe in enumerate(stripes):
        for pixel in stripe.reshape(-1, 3):
            hsv = colorsys.rgb_to_hsv(*(pixel / 255))
            place = tuple(min(int(value * bins), bins - 1) for value, bins in zip(hsv, BINS, strict=True))
            result[(number, *place)] += 1 / stripe[..., 0].size
    return np.sqrt(result).ravel()


def test_equals_a_loop_up_to_the_rounding_of_hsv():
    image = person((200, 30, 40), (30, 60, 180), height=32, width=16)
    descriptor = colour_histogram(image)
    assert descriptor.shape == (DIMENSIONS,) == (1536,)
    assert descriptor.dtype == np.float32
    # OpenCV rounds hue and saturation to 8 bits, which moves a few pixels over the edge of a bin.
    assert descriptor @ naive_histogram(image) / STRIPES > 0.97


def test_the_cosine_is_the_mean_bhattacharyya_coefficient():
    first, second = (
        colour_histogram(person((200, 30, 40), (9, 9, 9))),
        colour_histogram(person((200, 30, 40), (9, 200, 9))),
    )
    assert np.square(first).reshape(STRIPES, -1).sum(axis=1) == pytest.approx(np.ones(STRIPES))
    coefficients = (first * second).reshape(STRIPES, -1).sum(axis=1)
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    assert cosine == pytest.approx(coefficients.mean(), abs=1e-6)
    assert coefficients[:3].min() > 0.9
    assert coefficients[3:].max() < 0.1


def test_the_size_of_the_image_hardly_matters():
    small, large = (colour_histogram(person((200, 30, 40), (30, 60, 180), 48 * n, 24 * n, seed=n)) for n in (1, 4))
    assert small @ large / STRIPES > 0.97


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((96, 48), np.uint8),
        np.zeros((96, 48, 4), np.uint8),
        np.zeros((96, 48, 3), np.float32),
        np.zeros((5, 48, 3), np.uint8),
        np.zeros((96, 0, 3), np.uint8),
    ],
)
def test_refuses_other_images(image):
    with pytest.raises(InputError, match=r"at least 6 rows high. Received: shape \("):
        colour_histogram(image)
