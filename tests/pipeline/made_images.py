"""Images of coloured rectangles, and the attributes that the tests give them."""

import numpy as np

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema

SCHEMA = AttributeSchema((AttributeGroup("hat", ("no", "yes")), AttributeGroup("age", ("young", "adult", "old"))))


def draw(seed: int, height: int = 32, width: int = 16) -> np.ndarray:
    """Returns a uint8 RGB image of rectangles that no other seed gives."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(6):
        top, left = rng.integers(0, height), rng.integers(0, width)
        image[top : top + height // 3, left : left + width // 2] = rng.integers(0, 256, 3)
    return image
