"""What a landmark detector is."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class LandmarkDetector(Protocol):
    """Finds the landmarks of images, each of which shows one person.

    `image_size` is the (height, width) that images are resized to before; None means
    that the detector does not look at pixels: it gets `images=None`, and all paths in
    one call. `description`, of values that JSON has, tells detectors apart whose
    landmarks differ ("name" is the registered one): landmarks that another one made are
    not mixed with this one's.
    """

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width, or None."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What tells the detector apart."""

    def __call__(self, images: Any, paths: Sequence[str]) -> np.ndarray:
        """Finds landmarks.

        Args:
            images: uint8 [N, *image_size, 3], RGB; None where `image_size` is None.
            paths: sequence of N str. The images' `Record.path`s.

        Returns:
            float32 [N, 18, 3]: x and y in [0, 1] of the image and a confidence, 0 where
            the landmark was not found, as in `Record.landmarks`.
        """
