"""Pixels without TensorFlow against those of `pipeline.decode`."""

import cv2
import numpy as np
import pytest

from reid_tf.datasets.readers import pixels
from reid_tf.errors import InputError
from reid_tf.pipeline import decode

# Growing, shrinking, both at once, one row, one column, whole multiples, and the size itself.
SIZES = [(7, 5), (200, 90), (20, 90), (90, 20), (1, 40), (40, 1), (64, 32), (16, 8), (32, 16), (333, 217)]


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_resized_as_tensorflow_does(size):
    """To the bit: an encoder gives one answer, wherever its pixels come from."""
    image = picture(*size)
    ours, theirs = (reader.resize_images([image], (32, 16)).astype(int) for reader in (pixels, decode))
    np.testing.assert_array_equal(ours, theirs)


def test_float_images_and_the_size_itself():
    image = picture(32, 16)
    assert (pixels.resize_images([image], (32, 16))[0] == image).all()
    np.testing.assert_array_equal(
        pixels.resize_images([image.astype(np.float64)], (20, 12)), pixels.resize_images([image], (20, 12))
    )


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_decoded_as_tensorflow_does(tmp_path, suffix):
    """Lossless files to the bit; JPEG as near as two transforms of one smooth picture are."""
    path = str(tmp_path / f"a{suffix}")
    cv2.imwrite(path, cv2.resize(picture(5, 3), (30, 50), interpolation=cv2.INTER_CUBIC))
    ours, theirs = (reader.load_images([path], (50, 30)).astype(int) for reader in (pixels, decode))
    assert np.abs(ours - theirs).max() <= (15 if suffix == ".jpg" else 0)


def test_what_is_no_image_is_named(tmp_path):
    for name, content in (("empty.png", b""), ("page.png", b"<html>")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}' \({len(content)} bytes\) is not a valid JPEG"):
            pixels.load_images([str(tmp_path / name)], (4, 4))
    with pytest.raises(InputError, match=r"shape \(4, 4\) for image 1"):
        pixels.resize_images([picture(4, 4), np.zeros((4, 4), np.uint8)], (4, 4))
