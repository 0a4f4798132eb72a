"""Pictures of people in which faces, or what is behind them, can no longer be made out."""

import cv2
import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.report.picture import check_image

BLURS = ("faces", "background")

_HEAD = 0.22  # of a box's height: where the head of somebody upright is
_CELLS = 4  # colours side by side that are left of an image
_WIDTH = 0.8  # of an image's width: the ellipse that somebody upright fills


def blurred(image: np.ndarray, what: str | None) -> np.ndarray:
    """Blurs part of a person's crop beyond recovery: of that part, four colours side by side are left.

    Nobody looks for a face: its place is where the head of somebody upright is, the top
    of the box. Whoever bends down or is cut off above shows it elsewhere.

    Args:
        image: uint8 [H, W, 3], a person's box.
        what: "faces"; "background" for all outside an upright ellipse; or None for
            nothing, which gives the image itself.

    Returns:
        uint8 [H, W, 3].

    Raises:
        InputError: the image has another shape or type, or nothing is to be blurred
            that is called so.
    """
    check_image(image)
    if what is None:
        return image
    if what not in BLURS:
        raise InputError(unknown("part to blur", what, BLURS))
    height, width = image.shape[:2]
    rows = max(1, round(_CELLS * height / width))
    coarse = cv2.resize(cv2.resize(image, (_CELLS, rows), interpolation=cv2.INTER_AREA), (width, height))
    down, across = np.mgrid[:height, :width]
    if what == "faces":
        hidden = down < np.ceil(_HEAD * height)
    else:
        hidden = (2 * (across + 0.5) / width - 1) ** 2 / _WIDTH**2 + (2 * (down + 0.5) / height - 1) ** 2 > 1
    return np.where(hidden[..., np.newaxis], coarse, image)
