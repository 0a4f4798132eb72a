"""Similarity maps over the images that they explain."""

import functools
from collections.abc import Callable

import cv2
import numpy as np

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.explain import similarity_map
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import read_image

_SHARE = 0.6  # of the map's colour where a place speaks most for the likeness


def heat(image: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """Lays a map over an image: the warmer, the more; where the map is 0 the image is as it was, in grey.

    Args:
        image: uint8 [H, W, 3], RGB.
        likeness: float [h, w], between 0 and 1; resized to the image.

    Returns:
        uint8 [H, W, 3].

    Raises:
        InputError: the map has another number of dimensions, or values outside 0 .. 1.
    """
    likeness = np.asarray(likeness, np.float32)
    if likeness.ndim != 2 or not likeness.size or not ((likeness >= 0) & (likeness <= 1)).all():
        raise InputError(
            f"A map over an image must be [height, width] of values in 0 .. 1. Received: shape {likeness.shape}, from "
            f"{likeness.min(initial=np.inf)} to {likeness.max(initial=-np.inf)}."
        )
    height, width = image.shape[:2]
    likeness = np.clip(cv2.resize(likeness, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    colours = cv2.applyColorMap(np.uint8(np.round(255 * likeness)), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = _SHARE * likeness[..., np.newaxis]
    return np.asarray(np.round((1 - share) * grey + share * colours), np.uint8)


def explaining(encoder: Encoder) -> Callable[[str, str], np.ndarray]:
    """Returns a function that draws why one image is like another.

    Args:
        encoder: `Encoder`, as in `similarity_map()`.

    Returns:
        function of the path of an image and the path of another one, uint8 [H, W, 3]:
        the first image under the map of the places that make it like the second.
    """
    embedded = functools.lru_cache(maxsize=1)(lambda path: encoder([path])[0])  # a row of a picture has one query

    def draw(path: str, other: str) -> np.ndarray:
        return heat(read_image(path), similarity_map(encoder, path, embedded(other)))

    return draw
