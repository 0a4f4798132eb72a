"""One camera's footage: a video or folder of frames, the boxes in it, and when it began."""

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.readers.box import Boxes, read_detections
from reid_tf.datasets.readers.csv import read_csv
from reid_tf.errors import InputError

COLUMNS = ("camera", "video", "boxes", "start", "rate")


@dataclasses.dataclass(frozen=True)
class CameraFootage:
    """What one camera filmed without a break.

    Args:
        camera: str. Its name.
        video: Path. A video, or a folder of frames named by their number.
        boxes: Path. As `read_detections()` reads them, with tracks.
        start: datetime with its zone. Of frame 0.
        rate: float. Frames a second.
    """

    camera: str
    video: Path
    boxes: Path
    start: datetime.datetime
    rate: float

    @property
    def name(self) -> str:
        """A name for files: camera and start."""
        return f"{self.camera}-{self.start.astimezone(datetime.UTC):%Y%m%dT%H%M%S}"

    def second(self, frame: Any) -> Any:
        """Returns the seconds from 1970 to a frame, or to each of an array of them."""
        return self.start.timestamp() + frame / self.rate

    def read_boxes(self) -> Boxes:
        """Reads the boxes.

        Raises:
            InputError: as `read_detections()`, or a box has no track.
        """
        boxes = read_detections(self.boxes)
        untracked = int((boxes.tracks < 0).sum())
        if untracked:
            raise InputError(
                f"{str(self.boxes)!r} must give every box its track: a tracker does. Received: {untracked:,} of "
                f"{len(boxes.tracks):,} boxes without one."
            )
        return boxes


def check_size(footage: CameraFootage, boxes: Boxes, size: tuple[int, int]) -> None:
    """Makes sure that boxes are those of these frames.

    Args:
        footage: `CameraFootage`.
        boxes: `Boxes`.
        size: (int, int). Height and width of a frame.

    Raises:
        InputError: the file says another size, or most boxes have their middle outside.
    """
    height, width = size
    middle = (boxes.edges[:, :2] + boxes.edges[:, 2:]) / 2
    outside = ~((middle >= 0) & (middle < [width, height])).all(axis=1)
    if (boxes.size or size) != size or outside.mean() > 0.5:
        said = f"frames of {boxes.size[1]} x {boxes.size[0]}" if boxes.size else f"{int(outside.sum()):,} boxes outside"
        raise InputError(
            f"The boxes of {str(footage.boxes)!r} are of frames of another size than {str(footage.video)!r}, "
            f"{width} x {height}. Received: {said}."
        )


def read_cameras(path: str | Path) -> tuple[CameraFootage, ...]:
    """Reads a table of footage: a CSV file with the columns camera, video, boxes, start and rate.

    Args:
        path: str or Path. Files in it are named relative to its folder; `start` is ISO
            8601 with its zone; `rate` is in frames a second.

    Returns:
        tuple of `CameraFootage`.

    Raises:
        InputError: the file cannot be read, a camera is there twice, a video or file of
            boxes does not exist, or a time or rate is none.
    """
    path = Path(path)
    table = read_csv(path, COLUMNS)
    names = table.filled("camera")
    rates = table.numbers("rate")
    found = []
    for row, name in enumerate(names):
        if names.index(name) != row:
            raise table.wrong(row, "camera", "must not be there twice")
        if any(not (letter.isalnum() or letter in " ._-") for letter in name) or name.startswith("."):
            raise table.wrong(row, "camera", "must be a name of letters, digits, spaces and . _ -")
        if rates[row] <= 0:
            raise table.wrong(row, "rate", "must be above 0")
        try:
            start = datetime.datetime.fromisoformat(table.column("start")[row])
        except ValueError:
            raise table.wrong(row, "start", "must be a time such as 2026-05-01T08:30:00+02:00") from None
        if start.tzinfo is None:
            raise table.wrong(row, "start", "needs its zone, such as +02:00 or Z")
        files = {column: path.parent / table.column(column)[row] for column in ("video", "boxes")}
        for column, file in files.items():
            if not file.exists():
                raise table.wrong(row, column, "must be a file or folder that exists")
        found.append(CameraFootage(name, files["video"], files["boxes"], start, float(rates[row])))
    return tuple(found)


def sampled(boxes: Boxes, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the frames 0, step, 2 step, ... that have a box, int64 [F], and where each begins in the boxes, [F + 1].

    Args:
        boxes: `Boxes`.
        step: int >= 1.
    """
    frames, starts = np.unique(boxes.frames, return_index=True)
    stops = np.append(starts[1:], len(boxes.frames))
    chosen = frames % step == 0
    return frames[chosen], np.stack([starts[chosen], stops[chosen]], axis=1)
