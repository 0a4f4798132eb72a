"""From encoded image to pixels without TensorFlow, for machines that only embed: OpenCV decodes, NumPy resizes.

`pipeline.decode` is the decoder wherever TensorFlow is installed. The resize here gives the same pixels. So does the
decoder for lossless files; TensorFlow decodes JPEG by a faster transform, up to 15 grey values from this one.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from reid_tf.datasets.readers.encoded import read_encoded
from reid_tf.errors import InputError

ImageSize = tuple[int, int]


def decode(encoded: bytes) -> np.ndarray | None:
    """Decodes an image as it is stored: a note of the camera's orientation is ignored, as TensorFlow does.

    Args:
        encoded: bytes. The file's content.

    Returns:
        uint8 [height, width, 3], RGB; None where these are no bytes of an image.
    """
    if not encoded:
        return None
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.ascontiguousarray(image[..., ::-1])


def resize(image: np.ndarray, image_size: ImageSize) -> np.ndarray:
    """Resizes an image as `pipeline.decode.resize` does: bilinearly, anti-aliased where it shrinks.

    Args:
        image: uint8 or float [height, width, 3], values 0..255.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [*image_size, 3], rounded.
    """
    size = image.shape[:2]
    if size == tuple(image_size):
        return image.astype(np.uint8)
    pixels = image.astype(np.float32)
    for axis, (have, want) in enumerate(zip(size, image_size, strict=True)):
        pixels = _along(pixels, axis, _spans(have, want))
    return np.rint(pixels).astype(np.uint8)


def load_images(paths: Sequence[str], image_size: ImageSize) -> np.ndarray:
    """Reads images and brings them to one size, as `pipeline.decode.load_images` does.

    Args:
        paths: sequence of str. `Record.path`s.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [N, *image_size, 3], RGB.

    Raises:
        InputError: a file is missing or is not an image.
    """
    images = np.empty((len(paths), *image_size, 3), np.uint8)
    for position, path in enumerate(paths):
        encoded = read_encoded([path])[0]
        image = decode(encoded)
        if image is None:
            raise InputError(not_an_image(path, encoded))
        images[position] = resize(image, image_size)
    return images


def resize_images(images: Sequence[np.ndarray], image_size: ImageSize) -> np.ndarray:
    """Brings images in memory to one size, as `pipeline.decode.resize_images` does.

    Args:
        images: [N, height, width, 3] or a sequence of [height, width, 3] of any sizes, RGB: uint8, or float 0..255.
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
        raise InputError(f"An image is an array [height, width, 3]. Received: shape {image.shape} as image {position}.")
    if image.dtype == np.uint8:
        return image
    if not np.issubdtype(image.dtype, np.floating):
        raise InputError(f"An image is uint8, or float from 0 to 255. Received: {image.dtype} as image {position}.")
    low, high = image.min(), image.max()
    # Values that end at 1 are an image scaled to 0..1, on which every encoder would give a wrong answer in silence.
    if not 0.0 <= low <= high <= 255.0 or 0.0 < high <= 1.0:
        raise InputError(
            f"A float image has values from 0 to 255. Received: values from {low:g} to {high:g} as image {position}."
        )
    return image.astype(np.float32)


def not_an_image(path: str, encoded: bytes) -> str:
    """Returns the sentence for a file that cannot be decoded."""
    return f"The file {path!r} ({len(encoded)} bytes) is not a valid JPEG, PNG, BMP, GIF or WebP image."


@functools.lru_cache(maxsize=64)
def _spans(have: int, want: int) -> tuple[tuple[int, np.ndarray], ...]:
    """For each place of a resized axis the first place that it is made from, and the weights from there on.

    A triangle as wide as two places of the coarser grid is laid over the centre of each, cut off at the edges and
    brought to the sum 1: linear interpolation where the axis grows, a low-pass filter where it shrinks. All in float32,
    as TensorFlow computes it.
    """
    step = np.float32(1) / (np.float32(want) / np.float32(have))
    radius = max(step, np.float32(1))
    spans = []
    for place in range(want):
        centre = (np.float32(place) + np.float32(0.5)) * step
        first = int(np.clip(np.ceil(centre - radius - np.float32(0.5)), 0, have - 1))
        last = int(np.clip(np.floor(centre + radius - np.float32(0.5)), 0, have - 1))
        distances = np.abs(np.arange(first, last + 1, dtype=np.float32) + np.float32(0.5) - centre)
        weights = np.maximum(np.float32(1) - distances / radius, np.float32(0))
        spans.append((first, weights / weights.sum()))
    return tuple(spans)


def _along(pixels: np.ndarray, axis: int, spans: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """Resizes float32 pixels along one axis."""
    moved = np.moveaxis(pixels, axis, 0)
    made = np.empty((len(spans), *moved.shape[1:]), np.float32)
    for place, (first, weights) in enumerate(spans):
        made[place] = np.tensordot(weights, moved[first : first + len(weights)], axes=1)
    return np.moveaxis(made, 0, axis)
