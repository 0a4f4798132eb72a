"""A picture in the making: pixels, and beside them which part of the scene each pixel shows."""

from enum import IntEnum

import cv2
import numpy as np

from reid_tf.datasets.pedestrians.palette import Colour

SHIFT = 4  # OpenCV takes fixed-point coordinates: four binary places
_ARC = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_CIRCLE = np.stack([np.cos(_ARC), np.sin(_ARC)], axis=1)
_HALF = np.linspace(0, np.pi, 6)
_CAP = np.stack([np.cos(_HALF), np.sin(_HALF)], axis=1)


class Part(IntEnum):
    """What a pixel shows."""

    BACKGROUND = 0
    HEAD = 1
    TRUNK = 2
    RIGHT_ARM = 3
    LEFT_ARM = 4
    RIGHT_LEG = 5
    LEFT_LEG = 6
    SKIRT = 7
    BAG = 8
    OCCLUDER = 9


class Canvas:
    """Pixels [H, W, 3], RGB, and part labels [H, W], painted over from back to front.

    Args:
        pixels: uint8 [H, W, 3]. The background; painted on in place.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.labels = np.zeros(pixels.shape[:2], np.uint8)
        self.size = (pixels.shape[0], pixels.shape[1])

    def fill(self, outline: np.ndarray, colour: Colour, part: Part) -> None:
        """Paints a polygon, float [n, 2] (x, y) in pixels, in one colour."""
        points = [np.rint(outline * (1 << SHIFT)).astype(np.int32)]
        cv2.fillPoly(self.pixels, points, colour, cv2.LINE_8, SHIFT)
        cv2.fillPoly(self.labels, points, (int(part),), cv2.LINE_8, SHIFT)

    def cloth(self, outline: np.ndarray, corners: np.ndarray, texture: np.ndarray, part: Part) -> None:
        """Paints a polygon with a texture.

        Args:
            outline: float [n, 2]. x, y in pixels.
            corners: float [3, 2]. Where the texture's upper left, upper right and lower
                left corners lie.
            texture: uint8 [h, w, 3].
            part: `Part`.
        """
        height, width = self.size
        left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (width, height))
        if right <= left or bottom <= top:
            return
        points = [np.rint((outline - (left, top)) * (1 << SHIFT)).astype(np.int32)]
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, points, (255,), cv2.LINE_8, SHIFT)
        rows, columns = texture.shape[:2]
        matrix = cv2.getAffineTransform(
            np.array([[0, 0], [columns, 0], [0, rows]], np.float32), (corners - (left, top)).astype(np.float32)
        )
        size = (int(right - left), int(bottom - top))
        patch = cv2.warpAffine(texture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        window = slice(top, bottom), slice(left, right)
        cv2.copyTo(patch, mask, self.pixels[window])
        self.labels[window][mask > 0] = part


def moved(point: np.ndarray, right: float, down: float) -> np.ndarray:
    """Returns a point, float [2], moved by so many pixels."""
    return point + np.array([right, down])


def ellipse(centre: np.ndarray, across: float, down: float) -> np.ndarray:
    """Returns the outline of an ellipse by its half axes: float [20, 2]."""
    return centre + _CIRCLE * (across, down)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Returns the outline of an upright rectangle: float [4, 2]."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


def limb(start: np.ndarray, end: np.ndarray, start_width: float, end_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Shapes a limb: a band with round ends that tapers.

    Args:
        start: float [2]. Middle of one end.
        end: float [2]. Middle of the other end.
        start_width: float. Half the width at the start, in pixels.
        end_width: float. Half the width at the end.

    Returns:
        The outline, float [12, 2], and the corners [3, 2] for a texture that runs from
        start to end and whose left is the screen's left when the limb hangs down.
    """
    along = end - start
    along = along / max(float(np.hypot(*along)), 1e-6)
    right = np.array([along[1], -along[0]])
    frame = np.stack([right, along])
    outline = np.concatenate([start - _CAP * (1, 0.9) @ frame * start_width, end + _CAP * (1, 0.9) @ frame * end_width])
    wide = max(start_width, end_width)
    corners = np.stack([start - right * wide, start + right * wide, end - right * wide])
    return outline, corners
