import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.colour_jitter import colour_jitter


def jitter(images, **options):
    return colour_jitter(**options)({"image": tf.constant(images)}, tf.constant([1, 2]))["image"].numpy()


def test_brightness_multiplies_by_a_uniform_factor():
    factors = jitter(np.full((5000, 1, 1, 3), 100.0, np.float32), brightness=0.3, contrast=0.0)[:, 0, 0, 0] / 100
    np.testing.assert_allclose(np.quantile(factors, [0.0, 0.25, 0.5, 0.75, 1.0]), [0.7, 0.85, 1, 1.15, 1.3], atol=0.02)


def test_contrast_multiplies_the_distance_from_the_mean():
    images = np.tile(np.array([90.0, 130.0], np.float32)[None, None, :, None], (5000, 1, 1, 3))
    after = jitter(images, brightness=0.0, contrast=0.4)
    np.testing.assert_allclose(after.mean(axis=(1, 2, 3)), 110.0, rtol=1e-5)
    factors = (after[:, 0, 1, 0] - after[:, 0, 0, 0]) / 40
    np.testing.assert_allclose(np.quantile(factors, [0.0, 0.5, 1.0]), [0.6, 1.0, 1.4], atol=0.02)


def test_both_together_are_one_after_the_other(image_batch):
    before = image_batch["image"].numpy().clip(60, 120)
    after = jitter(before)
    for image, jittered in zip(before, after, strict=True):
        brightness = jittered.mean() / image.mean()
        contrast = np.ptp(jittered) / (np.ptp(image) * brightness)
        brighter = image * brightness
        np.testing.assert_allclose(jittered, brighter.mean() + (brighter - brighter.mean()) * contrast, atol=0.01)
        assert 0.8 <= brightness <= 1.2
        assert 0.8 <= contrast <= 1.2


def test_values_stay_in_their_range():
    after = jitter(np.random.default_rng(0).choice([0.0, 255.0], (50, 4, 4, 3)).astype(np.float32), brightness=1.0)
    assert after.min() == 0.0
    assert after.max() == 255.0


def test_the_rate_is_the_probability(image_batch):
    images = np.full((4000, 1, 1, 3), 100.0, np.float32)
    changed = (jitter(images, probability=0.3) != 100.0).any(axis=(1, 2, 3)).mean()
    assert abs(changed - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4000)
    np.testing.assert_array_equal(jitter(image_batch["image"].numpy(), probability=0.0), image_batch["image"])


@pytest.mark.parametrize("option", ["brightness", "contrast"])
def test_a_strength_outside_its_range_is_refused(option):
    with pytest.raises(InputError, match=rf"{option} of colour_jitter must lie in \[0, 1\]. Received: 1.5"):
        colour_jitter(**{option: 1.5})
