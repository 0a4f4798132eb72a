"""A contact sheet of images."""

from collections.abc import Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.report.picture import TILE, captioned, letterbox, sheet


def image_grid(
    images: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    columns: int = 8,
    tile: tuple[int, int] = TILE,
) -> np.ndarray:
    """Arranges images in rows, each with its caption beneath.

    Args:
        images: uint8 [H, W, 3] each, RGB; sizes may differ, none is distorted.
        captions: one str per image, or None. "\\n" separates lines.
        columns: int. Images in a row.
        tile: (height, width) in pixels that each image is fitted into.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: there is no image, an image has another shape or type, there are
            more or fewer captions than images, or columns is less than 1.
    """
    if not len(images) or columns < 1:
        raise InputError(
            f"An image grid needs at least one image and column. Received: {len(images)} images, columns={columns!r}."
        )
    if captions is not None and len(captions) != len(images):
        raise InputError(
            f"An image grid needs one caption per image. Received: {len(captions)} captions for {len(images)} images."
        )
    texts = [caption.split("\n") for caption in captions] if captions is not None else [[]] * len(images)
    most = max(len(lines) for lines in texts)
    tiles = [
        captioned(letterbox(image, tile), [*lines, *[""] * (most - len(lines))])
        for image, lines in zip(images, texts, strict=True)
    ]
    return sheet([tiles[start : start + columns] for start in range(0, len(tiles), columns)])
