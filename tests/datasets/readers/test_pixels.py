"""Pixels without TensorFlow against those of `pipeline.decode`."""

import numpy as np
import pytest

from reid_tf.datasets.readers import pixels
from reid_tf.errors import InputError
from reid_tf.pipeline import decode
from tests.datasets.made_files import bomb, file_of, lying

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


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "gif", "webp", "tiff"])
def test_decoded_as_tensorflow_does(tmp_path, kind):
    """To the bit, JPEG too, grey and coloured, upright and lying."""
    images = {"plain": file_of(picture(50, 30), kind), "grey": file_of(picture(50, 30)[..., 0], kind)}
    if kind not in ("bmp", "gif"):
        images |= {f"lying{orientation}": lying(picture(50, 30), kind, orientation) for orientation in (0, 2, 6, 7, 9)}
    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in images]
    for path in paths:
        np.testing.assert_array_equal(pixels.read_image(path), decode.read_image(path))
    np.testing.assert_array_equal(pixels.load_images(paths, (32, 16)), decode.load_images(paths, (32, 16)))


def test_what_is_no_image_is_named(tmp_path):
    for name, content in (("empty.png", b""), ("page.png", b"<html>")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}' \({len(content)} bytes\) is not a valid JPEG"):
            pixels.load_images([str(tmp_path / name)], (4, 4))
    with pytest.raises(InputError, match=r"shape \(4, 4\) for image 1"):
        pixels.resize_images([picture(4, 4), np.zeros((4, 4), np.uint8)], (4, 4))


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "gif", "webp", "tif"])
def test_both_readers_refuse_an_image_with_too_many_pixels(kind, tmp_path):
    path = tmp_path / f"bomb.{kind}"
    path.write_bytes(bomb(kind))
    message = (
        rf"The file '.*bomb\.{kind}' has \d+,000,000 pixels, more than the 25,000,000 allowed \(REID_TF_MAX_PIXELS"
    )
    for reader in (pixels, decode):
        for read in (reader.read_image, lambda name, reader=reader: reader.load_images([name], (4, 4))):
            with pytest.raises(InputError, match=message):
                read(str(path))
