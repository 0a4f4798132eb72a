"""Cloth: patterns woven all around a body part, and prints on its front and back.

A texture is unrolled: its columns go once around the part, beginning at the front and
turning to the person's left, its rows go from top to bottom. A pattern says which of
the garment's colours each point has, so that two garments of the same colours may
differ in structure alone.
"""

from collections.abc import Callable

import cv2
import numpy as np

from reid_tf.datasets.pedestrians.look import Garment
from reid_tf.datasets.pedestrians.palette import Colour

ROWS, COLUMNS = 48, 96

Pattern = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def _wave(values: np.ndarray, repeats: float) -> np.ndarray:
    """A saw tooth 0..1."""
    return (values * repeats) % 1.0


def _around(repeats: int) -> int:
    """Repeats around the body for squares of the same size: it is about 1.6 times as far around as high."""
    return max(2, round(repeats * 1.6))


def _plain(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return np.zeros(u.shape, bool)


def _stripes(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return _wave(v, repeats) < 0.4


def _pinstripes(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return _wave(u, _around(repeats) + 2) < 0.35


def _diagonals(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return _wave(u * _around(repeats) + v * repeats, 1.0) < 0.4


def _checks(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return (_wave(u, _around(repeats)) < 0.5) ^ (_wave(v, repeats) < 0.5)


def _grid(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return (_wave(u, _around(repeats)) < 0.25) | (_wave(v, repeats) < 0.25)


def _dots(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    across = _wave(u, _around(repeats)) - 0.5
    down = _wave(v, repeats) - 0.5
    return across**2 + down**2 < 0.1


def _diamonds(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return abs(_wave(u, _around(repeats)) - 0.5) + abs(_wave(v, repeats * 0.7) - 0.5) < 0.36


def _zigzag(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    tooth = abs(_wave(u, _around(repeats)) - 0.5)
    return _wave(v * repeats + tooth, 1.0) < 0.4


def _blotches(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    angle = 2 * np.pi * u
    field = np.sin(2 * angle + 9 * v * repeats / 5) + np.sin(3 * angle - 7 * v + repeats) + np.sin(13 * v + angle)
    return field > 0.6


def _band(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    top = 0.12 + 0.1 * (repeats % 5)
    return (v > top) & (v < top + 0.22)


def _yoke(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return v < 0.16 + 0.05 * (repeats % 5)


def _hem(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return v > 0.84 - 0.07 * (repeats % 5)


def _sides(u: np.ndarray, v: np.ndarray, repeats: int) -> np.ndarray:
    return abs(_wave(u, 2) - 0.5) < 0.1 + 0.03 * (repeats % 3)


PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "diagonals": _diagonals,
    "checks": _checks,
    "grid": _grid,
    "dots": _dots,
    "diamonds": _diamonds,
    "zigzag": _zigzag,
    "blotches": _blotches,
    "band": _band,
    "yoke": _yoke,
    "hem": _hem,
    "sides": _sides,
}


def _star(points: int, inner: float) -> np.ndarray:
    angles = np.arange(2 * points) * np.pi / points - np.pi / 2
    radii = np.where(np.arange(2 * points) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


# Outlines in [-1, 1], y down. Chosen to be told apart at about ten pixels.
PRINTS: dict[str, np.ndarray] = {
    "disc": _star(8, 1.0),
    "square": np.array([[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]]),
    "triangle": np.array([[0.0, -1.0], [1.0, 0.85], [-1.0, 0.85]]),
    "star": _star(5, 0.4),
    "bar": np.array([[-1.2, -0.35], [1.2, -0.35], [1.2, 0.35], [-1.2, 0.35]]),
    "chevron": np.array([[-1.1, -0.7], [0.0, 0.1], [1.1, -0.7], [1.1, 0.0], [0.0, 0.9], [-1.1, 0.0]]),
    "sash": np.array([[-1.3, -1.0], [-0.7, -1.0], [1.3, 1.0], [0.7, 1.0]]),
    "cross": np.array(
        [
            *([-0.3, -1], [0.3, -1], [0.3, -0.3], [1, -0.3], [1, 0.3], [0.3, 0.3]),
            *([0.3, 1], [-0.3, 1], [-0.3, 0.3], [-1, 0.3], [-1, -0.3], [-0.3, -0.3]),
        ]
    ),
}


def weave(garment: Garment, open_front: Colour | None = None) -> np.ndarray:
    """Makes the texture of a garment.

    Args:
        garment: `Garment`.
        open_front: RGB, or None. A strip of this colour down the front: the shirt under
            an open jacket.

    Returns:
        uint8 [ROWS, COLUMNS, 3], RGB.
    """
    v, u = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float64)
    u, v = (u + 0.5) / COLUMNS, (v + 0.5) / ROWS
    where = PATTERNS[garment.pattern](u, v, garment.repeats).astype(np.intp)
    if len(garment.colours) > 2:  # a third colour takes every second element, counted down the body
        where[(where == 1) & (_wave(v, garment.repeats / 2) < 0.5)] = 2
    texture = np.array(garment.colours, np.uint8)[where]
    _stamp(texture, garment.front_print, 0.0, garment)
    _stamp(texture, garment.back_print, 0.5, garment)
    if open_front is not None:
        texture[abs((u + 0.5) % 1.0 - 0.5) < 0.075] = open_front
    return texture


def _stamp(texture: np.ndarray, name: str, where: float, garment: Garment) -> None:
    """Fills a print in the garment's last colour, centred `where` around the body."""
    if not name:
        return
    size = garment.print_size * ROWS / 2
    # Columns are 0.8 of a row apart on the body of average breadth, and the first column is the middle of the chest:
    # the print is drawn on a copy turned so that it does not cross the border.
    outline = PRINTS[name] * (size / 0.9, size) + (COLUMNS / 2, ROWS * 0.42)
    turn = round((where - 0.5) * COLUMNS)
    turned = np.ascontiguousarray(np.roll(texture, -turn, axis=1))
    cv2.fillPoly(turned, [np.rint(outline * 16).astype(np.int32)], garment.colours[-1], cv2.LINE_AA, 4)
    texture[:] = np.roll(turned, turn, axis=1)
