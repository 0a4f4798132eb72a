"""A small video of coloured rectangles that walk, for the tests, with its box file."""

from pathlib import Path

import cv2
import numpy as np

FRAMES, HEIGHT, WIDTH = 40, 96, 128
# Track number -> colour (blue, green, red), top edge, first and last frame, pixels a frame.
WALKERS = {
    3: ((250, 20, 20), 4, 0, 39, 1.0),
    4: ((20, 250, 20), 26, 5, 34, 2.5),
    7: ((20, 20, 250), 48, 0, 39, 2.0),
    9: ((20, 220, 220), 70, 10, 29, 1.5),
}
BOX = (10, 20)  # width and height


def colour_of(track: int) -> np.ndarray:
    """Returns a walker's blue, green and red."""
    return np.array(WALKERS[track][0], float)


def frame(number: int) -> np.ndarray:
    """Draws one frame; the grey of the ground grows with time."""
    image = np.full((HEIGHT, WIDTH, 3), 30 + 5 * number, np.uint8)
    for track in WALKERS:
        if WALKERS[track][2] <= number <= WALKERS[track][3]:
            left, top, right, bottom = np.rint(box(track, number)).astype(int)
            image[top:bottom, max(left, 0) : max(right, 0)] = WALKERS[track][0]
    return image


def box(track: int, number: int) -> tuple[float, float, float, float]:
    """Returns left, top, right and bottom; some walkers come and go over the edge."""
    _, top, first, _, speed = WALKERS[track]
    left = -4 + speed * (number - first)
    return left, top, left + BOX[0], top + BOX[1]


def box_lines() -> list[str]:
    """Returns the rows of the box file, track by track, with head boxes that differ from the body's."""
    lines = []
    for track, (_, _, first, last, _) in WALKERS.items():
        for number in range(first, last + 1):
            body = ",".join(f"{edge:.3f}" for edge in box(track, number))
            lines.append(f"{track},{number},1,1,0.0,0.0,5.0,5.0,{body}\n")
    return lines


def write_boxes(root: Path, lines: list[str] | None = None) -> None:
    """Writes the box file."""
    (root / "TownCentre-groundtruth.top").write_text("".join(box_lines() if lines is None else lines))


def write_video(root: Path, frames: int = FRAMES, name: str = "TownCentreXVID.avi") -> None:
    """Writes the video as motion JPEG."""
    writer = cv2.VideoWriter(str(root / name), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for number in range(frames):
        writer.write(frame(number))
    writer.release()


def write_frames(root: Path, first: int = 0) -> None:
    """Writes the frames as images named by number, counted from `first`."""
    (root / "frames").mkdir()
    for number in range(FRAMES):
        cv2.imwrite(str(root / "frames" / f"town2_{number + first:04d}.png"), frame(number))
