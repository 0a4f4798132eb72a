import math
import random

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.random_erasing import random_erasing
from reid_tf.registry import AUGMENTATIONS

HEIGHT, WIDTH, COUNT = 64, 32, 3000


def erase(seed=(1, 2), count=COUNT, **options):
    images = tf.zeros([count, HEIGHT, WIDTH, 3])
    return random_erasing(**options)({"image": images}, tf.constant(seed))["image"].numpy()


def rectangles(images):
    """Top, left, height and width of what is not black in each image, which must be a full rectangle; 0 for none."""
    found = []
    for image in images:
        rows, columns = np.flatnonzero(image.any(axis=(1, 2))), np.flatnonzero(image.any(axis=(0, 2)))
        if len(rows) == 0:
            found.append((0, 0, 0, 0))
            continue
        top, left, height, width = rows[0], columns[0], rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
        assert image[top : top + height, left : left + width].all()
        found.append((top, left, height, width))
    return np.array(found)


def rectangles_by_loop(position, count):
    """The paper's algorithm 1, or the authors' program, one rectangle after the other."""
    draw = random.Random(0)
    found = []
    while len(found) < count:
        area, aspect = draw.uniform(0.02, 0.4) * HEIGHT * WIDTH, draw.uniform(0.3, 1 / 0.3)
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if position == "inside" and height <= HEIGHT and width <= WIDTH:
            found.append((draw.randint(0, HEIGHT - height), draw.randint(0, WIDTH - width), height, width))
        elif position == "anywhere":
            top, left = draw.randrange(HEIGHT), draw.randrange(WIDTH)
            if top + height <= HEIGHT and left + width <= WIDTH:
                found.append((top, left, height, width))
    return np.array(found)


@pytest.mark.parametrize("position", ["anywhere", "inside"])
def test_rectangles_are_distributed_as_a_loop_draws_them(position):
    ours = rectangles(erase(probability=1.0, value=(9.0, 9.0, 9.0), position=position))
    loop = rectangles_by_loop(position, COUNT)
    assert ours[:, 2].all()
    areas = ours[:, 2] * ours[:, 3] / (HEIGHT * WIDTH)
    assert areas.min() == pytest.approx(0.02, abs=0.005)
    assert areas.max() == pytest.approx(0.4, abs=0.02)
    aspects = ours[:, 2] / ours[:, 3]
    assert aspects.min() == pytest.approx(0.3, abs=0.06)
    assert aspects.max() == pytest.approx(1 / 0.3, abs=0.6)
    assert areas.mean() == pytest.approx({"anywhere": 0.15, "inside": 0.2}[position], abs=0.01)
    for values, expected in zip(ours.T, loop.T, strict=True):
        assert scipy.stats.ks_2samp(values, expected).pvalue > 1e-3
    products = (ours[:, 2] * ours[:, 3], loop[:, 2] * loop[:, 3])
    assert scipy.stats.ks_2samp(*products).pvalue > 1e-3


def test_where_all_rectangles_fit_area_and_aspect_are_uniform():
    ours = rectangles(
        erase(probability=1.0, value=(9.0, 9.0, 9.0), position="inside", area=(0.05, 0.3), aspect=(1.0, 3.0))
    )
    areas, aspects = ours[:, 2] * ours[:, 3] / (HEIGHT * WIDTH), ours[:, 2] / ours[:, 3]
    # Whole pixels blur the two a little: compare the quartiles.
    np.testing.assert_allclose(np.quantile(areas, [0.25, 0.5, 0.75]), [0.1125, 0.175, 0.2375], atol=0.012)
    np.testing.assert_allclose(np.quantile(aspects, [0.25, 0.5, 0.75]), [1.5, 2.0, 2.5], atol=0.08)


@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 1.0])
def test_the_rate_is_the_probability(probability):
    erased = rectangles(erase(probability=probability, value=(9.0, 9.0, 9.0)))[:, 2] > 0
    assert abs(erased.mean() - probability) <= 4 * np.sqrt(probability * (1 - probability) / COUNT)
    both = (erased[1:] & erased[:-1]).mean()  # neighbours are independent
    assert abs(both - probability**2) <= 4 * probability / np.sqrt(COUNT)


def test_a_rectangle_that_never_fits_is_left_out():
    images = erase(probability=1.0, count=100, area=(0.9, 1.0), aspect=(0.3, 0.4))
    assert not images.any()


def test_random_values_are_whole_numbers_equally_likely_and_independent(apply):
    images = np.full((50, HEIGHT, WIDTH, 3), 0.5, np.float32)
    after = apply(random_erasing(probability=1.0), {"image": tf.constant(images)})["image"]
    values = after[after != 0.5]
    assert len(values) > 20000
    counts = np.bincount(values.astype(int), minlength=256)
    np.testing.assert_array_equal(values, np.rint(values))
    assert len(counts) == 256
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / np.sqrt(len(values))


@pytest.mark.parametrize(
    ("value", "expected"), [("mean", (123.675, 116.28, 103.53)), ((255.0, 0.0, 10.0), (255.0, 0.0, 10.0))]
)
def test_a_colour_fills_the_rectangle(value, expected, image_batch, apply):
    before = image_batch["image"].numpy()
    after = apply(random_erasing(probability=1.0, value=value), image_batch)["image"]
    changed = (after != before).any(axis=-1)
    assert changed.any(axis=(1, 2)).all()
    np.testing.assert_allclose(after[changed], np.tile(expected, (changed.sum(), 1)), rtol=1e-6)


def test_landmarks_stay(image_batch, apply):
    after = apply(random_erasing(probability=1.0), image_batch)
    np.testing.assert_array_equal(after["landmarks"], image_batch["landmarks"])


def test_more_attempts_find_a_place_more_often():
    share = [
        (rectangles(erase(probability=1.0, attempts=n, value=(9.0, 9.0, 9.0)))[:, 2] > 0).mean() for n in (1, 4, 100)
    ]
    assert share[0] < 0.5 < share[1] < share[2] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"area": [0.0, 0.4]}, r"area .* above 0 and up to 1.* Received: \(0.0, 0.4\)"),
        ({"area": [0.5, 0.4]}, r"area .* Received: \(0.5, 0.4\)"),
        ({"area": [0.5, 1.4]}, r"area .* Received: \(0.5, 1.4\)"),
        ({"aspect": [-1.0, 1.0]}, r"aspect .* Received: \(-1.0, 1.0\)"),
        ({"attempts": 0}, "at least 1. Received: 0"),
        ({"value": [0, 0, 256]}, r"0..255. Received: \(0.0, 0.0, 256.0\)"),
        ({"value": "noise"}, "'noise'"),
        ({"position": "outside"}, "'outside'"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        AUGMENTATIONS.build({"name": "random_erasing", **options})
