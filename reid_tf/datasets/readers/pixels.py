"""From encoded image to pixels without TensorFlow, for machines that only embed: OpenCV decodes, NumPy resizes.

`pipeline.decode` is the decoder wherever TensorFlow is installed. Decoder and resize here
give the same pixels, to the bit.
"""

import functools
from collections.abc import Sequence

import numpy as np

from reid_tf.datasets.readers.encoded import read_encoded
from reid_tf.datasets.readers.image_file import decode, not_an_image
from reid_tf.errors import InputError

ImageSize = tuple[int, int]


def resize(image: np.ndarray, image_size: ImageSize) -> np.ndarray:
    """Resizes an image as `pipeline.decode.resize` does: bilinearly, anti-aliased where it shrinks.

    Args:
        image: uint8 or float [height, width, 3], values 0..255.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [*image_size, 3], rounded.
    """
    have = image.shape[:2]
    if have == tuple(image_size):
        return image.astype(np.uint8)
    pixels = image.astype(np.float32)
    grows = have[0] <= image_size[0] and have[1] <= image_size[1]
    return np.rint(_interpolated(pixels, image_size) if grows else _filtered(pixels, image_size)).astype(np.uint8)


def read_image(path: str) -> np.ndarray:
    """Reads one image in its own size, as `pipeline.decode.read_image` does.

    Args:
        path: str. An image file, or a place in a prepared data set.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        InputError: the file is missing, is not an image or has too many pixels.
    """
    encoded = read_encoded([path])[0]
    image = decode(encoded, f"The file {path!r}")
    if image is None:
        raise InputError(not_an_image(path, encoded))
    return image


def load_images(paths: Sequence[str], image_size: ImageSize) -> np.ndarray:
    """Reads images and brings them to one size, as `pipeline.decode.load_images` does.

    Args:
        paths: sequence of str. `Record.path`s.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [N, *image_size, 3], RGB.

    Raises:
        InputError: a file is missing, is not an image or has too many pixels.
    """
    images = np.empty((len(paths), *image_size, 3), np.uint8)
    for position, path in enumerate(paths):
        images[position] = resize(read_image(path), image_size)
    return images


def resize_images(images: Sequence[np.ndarray], image_size: ImageSize) -> np.ndarray:
    """Brings images in memory to one size, as `pipeline.decode.resize_images` does.

    Args:
        images: [N, height, width, 3] or a sequence of [height, width, 3] of any sizes,
            RGB: uint8, or float 0..255.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [N, *image_size, 3].

    Raises:
        InputError: an image has another shape or other values.
    """
    resized = np.empty((len(images), *image_size, 3), np.uint8)
    for position, image in enumerate(images):
        resized[position] = resize(check_image(np.asarray(image), position), image_size)
    return resized


def check_image(image: np.ndarray, position: int) -> np.ndarray:
    """Refuses arrays that do not hold the pixels of one image.

    Args:
        image: array of any kind.
        position: int. Its place among the caller's images, for the message.

    Returns:
        uint8 or float32 [height, width, 3], values 0..255.

    Raises:
        InputError: the shape, the type or the values are not an image's.
    """
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise InputError(
            f"An image must be an array [height, width, 3]. Received: shape {image.shape} for image {position}."
        )
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise InputError(
            f"An image must be uint8, or float from 0 to 255. Received: {image.dtype} for image {position}."
        )
    low, high = image.min(), image.max()
    # Values that end at 1 are an image scaled to 0..1, on which every encoder would give a wrong answer in silence.
    if not 0.0 <= low <= high <= 255.0 or 0.0 < high <= 1.0:
        raise InputError(
            f"A float image must have values from 0 to 255. Received: values from {low:g} to {high:g} for image "
            f"{position}."
        )
    return image.astype(np.float32)


def _interpolated(pixels: np.ndarray, image_size: ImageSize) -> np.ndarray:
    """Linear interpolation between the two nearest places of each axis, rounded as TensorFlow's kernel rounds."""
    (top, bottom, down), (left, right, across) = (
        _neighbours(have, want) for have, want in zip(pixels.shape, image_size, strict=False)
    )
    across, down = across[:, np.newaxis], down[:, np.newaxis, np.newaxis]
    upper, lower = (rows[:, left] + (rows[:, right] - rows[:, left]) * across for rows in (pixels[top], pixels[bottom]))
    return np.asarray(upper + (lower - upper) * down)


@functools.lru_cache(maxsize=64)
def _neighbours(have: int, want: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each place of an axis that grows the places before and after it, and how far it is on the way."""
    step = np.float32(have) / np.float32(want)
    places = (np.arange(want, dtype=np.float32) + np.float32(0.5)) * step - np.float32(0.5)
    before = np.floor(places)
    after = np.minimum(np.ceil(places), have - 1).astype(np.int64)
    return np.maximum(before, 0).astype(np.int64), after, places - before


def _filtered(pixels: np.ndarray, image_size: ImageSize) -> np.ndarray:
    """Each place as a weighted sum of those near it, first down, then across."""
    for axis, want in enumerate(image_size):
        places, weights = _taps(pixels.shape[axis], want)
        shape = (1,) * axis + (want,) + (1,) * (2 - axis)
        total = np.zeros((*pixels.shape[:axis], want, *pixels.shape[axis + 1 :]), np.float32)
        for place, weight in zip(places, weights, strict=True):
            total += weight.reshape(shape) * np.take(pixels, place, axis=axis)
        pixels = total
    return pixels


@functools.lru_cache(maxsize=64)
def _taps(have: int, want: int) -> tuple[np.ndarray, np.ndarray]:
    """The places [taps, want] that each place of a resized axis is made from, and their weights, 0 where it has fewer.

    A triangle as wide as two places of the coarser grid is laid over the centre of
    each, cut off at the edges and brought to the sum 1. All in float32 and in
    TensorFlow's order.
    """
    half, one = np.float32(0.5), np.float32(1)
    step = one / (np.float32(want) / np.float32(have))
    radius = max(step, one)
    centres = (np.arange(want, dtype=np.float32) + half) * step
    first = np.clip(np.ceil(centres - radius - half), 0, have - 1).astype(np.int64)
    last = np.clip(np.floor(centres + radius - half), 0, have - 1).astype(np.int64)
    places = first + np.arange((last - first).max() + 1)[:, np.newaxis]  # [taps, want]
    distances = np.abs(places.astype(np.float32) + half - centres) * (one / radius)
    weights = np.where(places <= last, np.maximum(one - distances, np.float32(0)), np.float32(0))
    total = np.zeros(want, np.float32)
    for weight in weights:
        total += weight
    return np.minimum(places, have - 1), weights * (one / total)
