"""A frame fitted into the image of a detector's network, and boxes brought back from there."""

import dataclasses

import cv2
import numpy as np

RESIZES = ("stretch", "letterbox", "corner")
GREY = 114  # what fills the rest of the image, as YOLO's authors have it


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A frame in a network's image.

    Args:
        image: uint8 [height, width, 3], with the frame's channels.
        frame_size: (int, int). Height and width of the frame.
        scale: float64 [2]. By what x and y were scaled.
        moved: int64 [2]. How many pixels of the image lie left of the frame, and above.
    """

    image: np.ndarray
    frame_size: tuple[int, int]
    scale: np.ndarray
    moved: np.ndarray

    def back(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Brings boxes back to the frame; what of them lies outside is cut, and those that lie outside are left out.

        Args:
            boxes: float [N, 4]. Left, top, right, bottom in pixels of the image.
            scores: float [N].

        Returns:
            float64 [M, 4] in pixels of the frame, and their scores [M].
        """
        height, width = self.frame_size
        inside = np.clip(
            (boxes - np.tile(self.moved, 2)) / np.tile(self.scale, 2), 0, np.array([width, height, width, height])
        )
        good = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        return inside[good], scores[good]


def fit(frame: np.ndarray, size: tuple[int, int], how: str) -> Fitted:
    """Fits a frame into an image.

    Args:
        frame: uint8 [height, width, 3].
        size: (int, int). Height and width of the image.
        how: str. "stretch" to the size whatever the proportions, "letterbox" (grey on
            both sides), or "corner" (grey at the right or below).

    Returns:
        `Fitted`.
    """
    height, width = size
    rows, columns = frame.shape[:2]
    scale = np.array([width / columns, height / rows])
    if how == "stretch":
        return Fitted(cv2.resize(frame, (width, height)), (rows, columns), scale, np.zeros(2, np.int64))
    across, down = (max(1, round(side * scale.min())) for side in (columns, rows))
    left, top = (0, 0) if how == "corner" else ((width - across) // 2, (height - down) // 2)
    image = np.full((height, width, 3), GREY, np.uint8)
    image[top : top + down, left : left + across] = cv2.resize(frame, (across, down))
    return Fitted(image, (rows, columns), np.array([across / columns, down / rows]), np.array([left, top]))
