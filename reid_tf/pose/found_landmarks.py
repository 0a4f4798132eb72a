"""Landmarks as a file has them, before they meet their images."""

from typing import NamedTuple

import numpy as np


class FoundLandmarks(NamedTuple):
    """The landmarks of one image.

    Args:
        points: float32 [18, 3]. x and y, in `size` units across the image, and a
            confidence.
        size: (width, height), or None for the pixels of the image file.
    """

    points: np.ndarray
    size: tuple[float, float] | None
