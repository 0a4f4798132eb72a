"""A contact sheet of images."""

from collections.abc import Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.report.picture import TILE, WHITE, captioned, letterbox, sheet

GAP = 2  # pixels between an image and the one above it


def image_grid(
    images: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    columns: int = 8,
    tile: tuple[int, int] = TILE,
    above: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Arranges images in rows, each with its caption beneath and, where wanted, another image above.

    Args:
        images: uint8 [H, W, 3] each, RGB; sizes may differ, none is distorted.
        captions: one str per image, or None. "\\n" separates lines.
        columns: int. Images in a row.
        tile: (height, width) in pixels that each image is fitted into.
        above: uint8 [H, W, 3] each, or None. What stands directly above each image,
            such as the original of an augmented one.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: there is no image, an image has another shape or type, there are
            more or fewer captions, or images above, than images, or columns is less
            than 1.
    """
    columns = whole_number("columns", columns)
    if not len(images):
        raise InputError(f"An image grid needs at least one image. Received: {len(images)} images.")
    if captions is not None and len(captions) != len(images):
        raise InputError(
            f"An image grid needs one caption per image. Received: {len(captions)} captions for {len(images)} images."
        )
    if above is not None and len(above) != len(images):
        raise InputError(
            f"An image grid needs one image above each. Received: {len(above)} images above {len(images)} images."
        )
    fitted = [letterbox(image, tile) for image in images]
    if above is not None:
        gap = np.full((GAP, tile[1], 3), WHITE, np.uint8)
        fitted = [np.concatenate([letterbox(top, tile), gap, image]) for top, image in zip(above, fitted, strict=True)]
    texts = [caption.split("\n") for caption in captions] if captions is not None else [[]] * len(images)
    most = max(len(lines) for lines in texts)
    tiles = [
        captioned(image, [*lines, *[""] * (most - len(lines))]) for image, lines in zip(fitted, texts, strict=True)
    ]
    return sheet([tiles[start : start + columns] for start in range(0, len(tiles), columns)])
