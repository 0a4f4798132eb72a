import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.random_crop import random_crop
from reid_tf.registry import AUGMENTATIONS


def positions(after, images, padding, fill=(0.0, 0.0, 0.0)):
    """Which window of its padded original each image is, by comparison with all of them."""
    found = []
    for window, image in zip(after, images, strict=True):
        padded = np.empty((image.shape[0] + 2 * padding, image.shape[1] + 2 * padding, 3), np.float32)
        padded[:] = fill
        padded[padding : padding + image.shape[0], padding : padding + image.shape[1]] = image
        found.append(
            [
                (top, left)
                for top in range(padded.shape[0] - window.shape[0] + 1)
                for left in range(padded.shape[1] - window.shape[1] + 1)
                if np.array_equal(padded[top : top + window.shape[0], left : left + window.shape[1]], window)
            ]
        )
    return found


@pytest.mark.parametrize("fill", [(0.0, 0.0, 0.0), (123.675, 116.28, 103.53)])
def test_crops_are_windows_of_the_padded_image(apply, fill):
    images = np.random.default_rng(0).integers(0, 256, (8, 10, 6, 3)).astype(np.float32)
    after = apply(random_crop((10, 6), padding=3, fill=fill), {"image": tf.constant(images)})["image"]
    found = positions(after, images, 3, fill)
    assert all(len(places) == 1 for places in found)
    assert len({places[0] for places in found}) > 4


def test_every_place_is_equally_likely():
    images = np.tile(np.arange(1, 13, dtype=np.float32).reshape(4, 3, 1), (9000, 1, 1, 3))
    after = random_crop((4, 3), padding=1)({"image": tf.constant(images)}, tf.constant([5, 6]))["image"].numpy()
    # The middle pixel says which window it is: nine of them.
    values, counts = np.unique(after[:, 1, 1, 0], return_counts=True)
    assert len(values) == 9
    assert np.all(np.abs(counts - 1000) < 4 * np.sqrt(9000 * 1 / 9 * 8 / 9))


def test_larger_images_are_cropped_without_padding(apply):
    images = np.random.default_rng(0).integers(1, 256, (8, 12, 7, 3)).astype(np.float32)
    after = apply(random_crop((10, 6)), {"image": tf.constant(images)})["image"]
    assert after.shape == (8, 10, 6, 3)
    assert after.min() >= 1.0  # no padding has got in
    assert all(len(places) == 1 for places in positions(after, images, 0))


def test_images_of_the_image_size_are_padded_by_ten(apply):
    images = np.full((200, 8, 4, 3), 255.0, np.float32)
    after = apply(random_crop((8, 4)), {"image": tf.constant(images)})["image"]
    assert (after.max(axis=(1, 2, 3)) == 0.0).any()  # moved out of the window altogether


@pytest.mark.parametrize(("size", "padding"), [((8, 5), 2), ((12, 9), None), ((10, 6), 1)])
def test_landmarks_move_with_the_pixels(dotted, find_dot, apply, size, padding):
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, size[0], 60), rng.integers(0, size[1], 60)
    batch = dotted(rows, columns, *size)
    after = apply(random_crop((8, 5), padding=padding), batch)
    dots = find_dot(after["image"])
    assert sum(dot is None for dot in dots) > 0
    for landmark, dot in zip(after["landmarks"][:, 0], dots, strict=True):
        if dot is None:
            assert landmark[2] == 0.0
        else:
            np.testing.assert_allclose(landmark, [*dot, 1.0], atol=1e-5)


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match="'padding' .* must be at least 0. Received: -1"):
        random_crop((8, 4), padding=-1)
    with pytest.raises(InputError, match=r"must lie in 0..255. Received: \(0.0, 0.0, 300.0\)"):
        random_crop((8, 4), fill=(0, 0, 300))
    with pytest.raises(InputError, match=r"cannot cut \(8, 4\) out of images of \(5, 4\) padded by 1"):
        random_crop((8, 4), padding=1)({"image": tf.zeros([1, 5, 4, 3])}, tf.constant([1, 2]))
    with pytest.raises(InputError, match="'two'"):
        AUGMENTATIONS.build({"name": "random_crop", "padding": "two"}, image_size=(8, 4))
