"""Tiles, frames and captions that the package's pictures are put together from."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from reid_tf.errors import InputError
from reid_tf.files import written_beside

TILE = (256, 128)  # height, width: person crops enlarged until a caption beneath them can be read
WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
BACKGROUND = (236, 236, 236)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.45
_SMALLEST = 0.8  # of the font's scale; below it nothing can be read
_LINE_HEIGHT = 18


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Writes a picture as a PNG file.

    Args:
        path: str or Path. The file, ending in .png; it is complete or absent at this
            name. Its folder is made when missing.
        image: uint8 [H, W, 3], RGB.

    Raises:
        InputError: the path does not end in .png, or the picture has another shape or
            type.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"Pictures must be written as .png files. Received: {str(path)!r}.")
    check_image(image)
    _, encoded = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR))
    with written_beside(path) as beside:
        beside.write_bytes(encoded.tobytes())


def check_image(image: np.ndarray) -> None:
    """Raises an `InputError` unless the image is uint8 [H, W, 3] and not empty."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"Pictures must be uint8 RGB, [height, width, 3], not empty. Received: {image.shape}, {image.dtype}."
        )


def letterbox(image: np.ndarray, tile: tuple[int, int] = TILE, colour: Sequence[int] = BACKGROUND) -> np.ndarray:
    """Fits an image into a tile without distorting it.

    Args:
        image: uint8 [H, W, 3].
        tile: (height, width) of the result in pixels.
        colour: 3 ints in 0 .. 255. What fills the margins.

    Returns:
        uint8 [tile height, tile width, 3].

    Raises:
        InputError: the image has another shape or type.
    """
    check_image(image)
    scale = min(tile[0] / image.shape[0], tile[1] / image.shape[1])
    height, width = (max(1, min(side, round(size * scale))) for side, size in zip(tile, image.shape[:2], strict=True))
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    result = np.full((*tile, 3), colour, np.uint8)
    top, left = (tile[0] - height) // 2, (tile[1] - width) // 2
    result[top : top + height, left : left + width] = resized
    return result


def framed(tile: np.ndarray, colour: Sequence[int], thickness: int = 5) -> np.ndarray:
    """Draws a frame around a tile, outside of it.

    Args:
        tile: uint8 [H, W, 3].
        colour: 3 ints in 0 .. 255.
        thickness: int, in pixels.

    Returns:
        uint8 [H + 2 thickness, W + 2 thickness, 3].
    """
    result = np.full((tile.shape[0] + 2 * thickness, tile.shape[1] + 2 * thickness, 3), colour, np.uint8)
    result[thickness:-thickness, thickness:-thickness] = tile
    return result


def captioned(tile: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Sets lines of text beneath a tile.

    A line that is too long is set a little smaller and then cut, ending in "..". The
    font has ASCII characters only; others become "?".

    Args:
        tile: uint8 [H, W, 3].
        lines: str each.

    Returns:
        uint8 [H + 18 per line, W, 3], the tile above black text on white.
    """
    if not lines:
        return tile
    strip = np.full((_LINE_HEIGHT * len(lines), tile.shape[1], 3), WHITE, np.uint8)
    for number, line in enumerate(lines):
        line, scale = _fit(line.encode("ascii", "replace").decode(), tile.shape[1] - 4)
        place = (2, _LINE_HEIGHT * (number + 1) - 5)
        cv2.putText(strip, line, place, _FONT, scale, BLACK, 1, cv2.LINE_AA)
    return np.concatenate([tile, strip])


def sheet(rows: Sequence[Sequence[np.ndarray]], gap: int = 6) -> np.ndarray:
    """Arranges tiles in rows on a white sheet.

    Args:
        rows: sequences of uint8 [H, W, 3] tiles, all of one size; a row may be shorter
            than the others.
        gap: int. Pixels between tiles and around the sheet.

    Returns:
        uint8 [height, width, 3].
    """
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    result = np.full((len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), WHITE, np.uint8)
    for line, row in enumerate(rows):
        for column, tile in enumerate(row):
            top, left = gap + line * (height + gap), gap + column * (width + gap)
            result[top : top + height, left : left + width] = tile
    return result


def _fit(line: str, width: int) -> tuple[str, float]:
    scale = _FONT_SCALE * min(1.0, max(_SMALLEST, width / max(1, _text_width(line, _FONT_SCALE))))
    length = len(line)
    shown = line
    while length and _text_width(shown, scale) > width:
        length -= 1
        shown = line[:length] + ".."
    return shown, scale


def _text_width(line: str, scale: float) -> int:
    return cv2.getTextSize(line, _FONT, scale, 1)[0][0]
