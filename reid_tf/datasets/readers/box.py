"""The ground truth of a tracked video: a box of every person in every frame."""

import dataclasses
from pathlib import Path

import numpy as np

from reid_tf.datasets.readers.csv import read_csv
from reid_tf.errors import InputError

COLUMNS = (
    *("personNumber", "frameNumber", "headValid", "bodyValid"),
    *("headLeft", "headTop", "headRight", "headBottom", "bodyLeft", "bodyTop", "bodyRight", "bodyBottom"),
)


@dataclasses.dataclass(frozen=True)
class Boxes:
    """The valid body boxes of a video, by frame and then by track; a track has at most one box per frame.

    Args:
        tracks: int64 [N]. Whom each box shows.
        frames: int64 [N]. In which frame, counted from 0.
        edges: float64 [N, 4]. Left, top, right and bottom in pixels; they may lie
            outside the frame.
        repeated: int. Further boxes of a track in one frame, which were left out.
    """

    tracks: np.ndarray
    frames: np.ndarray
    edges: np.ndarray
    repeated: int = 0


def read_boxes(path: Path) -> Boxes:
    """Reads TownCentre's `.top` file: comma-separated, without a header, 12 columns.

    The columns are personNumber, frameNumber, headValid, bodyValid, and left, top,
    right and bottom of the head and then of the body. Rows with bodyValid 0 are passed
    over.

    Args:
        path: Path.

    Returns:
        `Boxes`.

    Raises:
        InputError: the file cannot be read, a row has another number of columns or
            holds something that is not a number (the message names the line), or no
            body is valid.
    """
    table = read_csv(path, (), header=COLUMNS)
    whole = {name: table.numbers(name, whole=True) for name in COLUMNS[:4]}
    for name in ("personNumber", "frameNumber"):
        if (whole[name] < 0).any():
            raise table.wrong(int((whole[name] < 0).argmax()), name, "must not be negative")
    for name in ("headValid", "bodyValid"):
        wrong = ~np.isin(whole[name], (0, 1))
        if wrong.any():
            raise table.wrong(int(wrong.argmax()), name, "must be 0 or 1")
    tracks, frames = whole["personNumber"], whole["frameNumber"]
    edges = np.stack([table.numbers(name) for name in COLUMNS[-4:]], axis=1)
    valid = np.flatnonzero(whole["bodyValid"] == 1)
    if not len(valid):
        raise InputError(f"{str(path)!r}: bodyValid must be 1 in some rows. Received: 0 in all {len(tracks)}.")
    # np.unique gives the first of equal rows: a second box of a track in a frame is left out.
    _, first = np.unique(np.stack([frames, tracks], axis=1)[valid], axis=0, return_index=True)
    kept = valid[first]
    return Boxes(tracks[kept], frames[kept], edges[kept], repeated=len(valid) - len(kept))
