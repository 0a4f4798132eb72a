"""A descriptor without learning: what colours alone tell, as an honest reference for trained encoders."""

import cv2
import numpy as np

from reid_tf.errors import InputError

STRIPES = 6
BINS = (16, 4, 4)  # hue, saturation, value
DIMENSIONS = STRIPES * BINS[0] * BINS[1] * BINS[2]


def colour_histogram(image: np.ndarray) -> np.ndarray:
    """Describes an image by the colours of its horizontal stripes.

    Each of 6 stripes of equal height gives a joint histogram of hue, saturation and
    value (16 x 4 x 4 bins) whose bins sum to 1; their square roots are taken, so that
    the cosine of two descriptors is the mean Bhattacharyya coefficient of the stripes.
    The size of the image does not matter.

    Args:
        image: uint8 [H, W, 3], RGB, at least 6 rows high.

    Returns:
        float32 [1536].

    Raises:
        InputError: the image has another shape or type.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.shape[0] < STRIPES or not image.size:
        raise InputError(
            f"A colour histogram needs a uint8 RGB image of shape [height, width, 3], at least {STRIPES} rows high. "
            f"Received: shape {image.shape}, {image.dtype}."
        )
    hsv = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2HSV)
    # OpenCV's 8-bit hue has 180 steps of two degrees.
    histograms = [
        cv2.calcHist([stripe], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256]).ravel() / stripe[..., 0].size
        for stripe in np.array_split(hsv, STRIPES)
    ]
    return np.sqrt(np.concatenate(histograms), dtype=np.float32)
