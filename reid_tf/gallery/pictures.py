"""Which image files a page may show: those in some folders, made small."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from reid_tf.errors import InputError
from reid_tf.pipeline.decode import read_image
from reid_tf.report.blur import blurred

HIGHEST = 320  # pixels of what is shown
GREY = np.full((128, 64, 3), 190, np.uint8)  # in the place of what is not


class Pictures:
    """Reads image files for a page: none outside its roots, whatever a row's path says.

    Args:
        roots: sequence of str or Path. Folders.
        blur: str, or None. What cannot be made out in the pictures, see `blurred`.

    Raises:
        InputError: there is no root, or one is no folder.
    """

    def __init__(self, roots: Sequence[str | Path], blur: str | None = None) -> None:
        self.blur = blur
        self.roots = [Path(root).resolve() for root in roots]
        if not self.roots or not all(root.is_dir() for root in self.roots):
            raise InputError(f"A page shows images of folders that exist. Received: {', '.join(map(str, roots))!r}.")

    def path(self, path: str) -> str | None:
        """Returns where a file really lies, or None where that is outside the roots or it does not exist."""
        if not path or "://" in path:
            return None
        found = Path(path).resolve()  # links are followed before it is looked where they lead
        inside = any(found.is_relative_to(root) for root in self.roots)
        return str(found) if inside and found.is_file() else None

    def read(self, found: str) -> np.ndarray:
        """Returns the picture of a file that `path` found, uint8 [height, width, 3]; `InputError` if there is none."""
        return blurred(read_image(found), self.blur)

    def small(self, path: str) -> np.ndarray:
        """Returns the picture of a file, or a grey one where it may not be shown or cannot be read.

        Args:
            path: str. As a gallery's row has it.

        Returns:
            uint8 [height, width, 3], RGB, of at most `HIGHEST` rows.
        """
        found = self.path(path)
        if found is None:
            return GREY
        try:
            return shrunk(self.read(found))
        except InputError:  # the row stays a result, of which there is no picture
            return GREY


def shrunk(image: np.ndarray) -> np.ndarray:
    """Returns an image of at most `HIGHEST` rows, in its own proportions."""
    height, width = image.shape[:2]
    if height <= HIGHEST:
        return image
    return cv2.resize(image, (max(1, width * HIGHEST // height), HIGHEST), interpolation=cv2.INTER_AREA)
