"""Small pictures and their files."""

import cv2
import numpy as np


def drawn(seed: int, height: int = 60, width: int = 30, channels: int = 3) -> np.ndarray:
    """A smooth picture of a few colours, RGB: JPEG keeps it nearly as it is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 3, channels), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(image: np.ndarray, suffix: str = ".jpg") -> bytes:
    """The bytes of an RGB, RGBA or grey image."""
    if image.ndim == 3 and image.shape[2] > 1:
        image = image[..., [2, 1, 0, *range(3, image.shape[2])]]
    return cv2.imencode(suffix, image)[1].tobytes()
