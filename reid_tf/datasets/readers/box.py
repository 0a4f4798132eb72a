"""The boxes of people in a video's frames: TownCentre's ground truth, MOT Challenge's files, COCO's detections."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.readers.coco import read_coco_boxes
from reid_tf.datasets.readers.csv import read_csv
from reid_tf.errors import InputError

COLUMNS = (
    *("personNumber", "frameNumber", "headValid", "bodyValid"),
    *("headLeft", "headTop", "headRight", "headBottom", "bodyLeft", "bodyTop", "bodyRight", "bodyBottom"),
)

MOT = ("frame", "track", "left", "top", "width", "height", "score", "class", "visibility", "more")


@dataclasses.dataclass(frozen=True)
class Boxes:
    """The boxes of a video, by frame and then by track; a track has at most one box per frame.

    Args:
        tracks: int64 [N]. Whom each box shows; -1 where nobody has tracked it.
        frames: int64 [N]. In which frame, counted from 0.
        edges: float64 [N, 4]. Left, top, right and bottom in pixels; they may lie
            outside the frame.
        repeated: int. Further boxes of a track in one frame, which were left out.
        size: tuple of 2 int, or None where the file does not say. Height and width of
            the frames.
        first: int. The number that the file gives to the first frame, 0 or 1.
    """

    tracks: np.ndarray
    frames: np.ndarray
    edges: np.ndarray
    repeated: int = 0
    size: tuple[int, int] | None = None
    first: int = 0


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
    return _in_order(tracks[valid], frames[valid], edges[valid])


def read_detections(path: Path, least_score: float = 0.0) -> Boxes:
    """Reads the boxes of people in a video: MOT Challenge's text, COCO's JSON, or TownCentre's `.top`.

    A line of MOT Challenge is frame, track, left, top, width, height and, if it goes
    on, score, class, ...; frames are counted from 1, or from 0 where there is a frame 0,
    and a track of -1 is none. Of lines with a class, those of class 1 (pedestrian) or
    -1 count; those with score 0, which is "ignore" in ground truth, do not. A COCO file
    has images, in the order of the frames or with `frame_id` (counted from 0), and
    annotations with `image_id`, `bbox` and, where tracked, `track_id`.

    Args:
        path: Path. Its suffix says what it is: `.txt` or `.csv`, `.json`, `.top`.
        least_score: float. Boxes with a lower one are left out.

    Returns:
        `Boxes`; none where a file of text is empty, as a tracker leaves it that has seen
        nobody.

    Raises:
        InputError: the file cannot be read, holds something that is no number, or no
            box is left.
    """
    suffix = path.suffix.lower()
    if suffix == ".top":
        return read_boxes(path)
    if suffix not in (".txt", ".csv", ".json"):
        raise InputError(f"A file of boxes is .txt or .csv (MOT), .json (COCO) or .top. Received: {str(path)!r}.")
    size, first = None, 0
    if suffix == ".json":
        frames, tracks, edges, scores, size = read_coco_boxes(path)
    else:
        frames, tracks, edges, scores, first = _read_mot(path)
    right = (edges[:, 2] > edges[:, 0]) & (edges[:, 3] > edges[:, 1]) & (scores >= least_score)
    if len(frames) and not right.any():
        raise InputError(
            f"{str(path)!r} has no box of a person with a score of {least_score:g} or more. Received: {len(frames)} "
            f"boxes, with scores up to {scores.max(initial=0):g}."
        )
    return dataclasses.replace(_in_order(tracks[right], frames[right], edges[right]), size=size, first=first)


def mot_place(box: Sequence[float] | np.ndarray) -> list[str]:
    """Returns left, top, width and height of a box as the cells of MOT Challenge's text.

    Args:
        box: 4 floats. Left, top, right, bottom.
    """
    left, top, right, bottom = box
    return [f"{value:.2f}" for value in (left, top, right - left, bottom - top)]


def _read_mot(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    cells = 6
    with contextlib.suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8-sig") as file:
        line = file.readline()  # read again below, where errors are told
        if not line:  # nobody was seen
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0), 0
        cells = line.count(",") + 1
        if not 6 <= cells <= len(MOT):
            raise InputError(
                f"A line of a MOT file has 6 to {len(MOT)} cells, {', '.join(MOT[:6])}, ... Received: {cells} in the "
                f"first line of {str(path)!r}."
            )
    table = read_csv(path, (), delimiter=",", header=MOT[:cells])
    frames, tracks = table.numbers("frame", whole=True), table.numbers("track", whole=True)
    if (frames < 0).any():
        raise table.wrong(int((frames < 0).argmax()), "frame", "must not be negative")
    left, top, width, height = (table.numbers(name) for name in MOT[2:6])
    scores = table.numbers("score") if cells > 6 else np.ones(len(frames))
    kept = scores != 0
    if cells > 7:
        kept &= np.isin(table.numbers("class"), (1, -1))
    if not kept.any():
        raise InputError(
            f"{str(path)!r} has no box of a person. Received: {len(frames)} lines, all with a score of 0 or of another "
            "class than 1."
        )
    first = 0 if (frames == 0).any() else 1
    edges = np.stack([left, top, left + width, top + height], axis=1)
    return frames[kept] - first, np.maximum(tracks, -1)[kept], edges[kept], scores[kept], first


def _in_order(tracks: np.ndarray, frames: np.ndarray, edges: np.ndarray) -> Boxes:
    # np.unique gives the first of equal rows: a second box of a track in a frame is left out.
    one = np.where(tracks < 0, np.arange(len(tracks)), -1)  # what is not tracked is nobody twice
    _, kept = np.unique(np.stack([frames, tracks, one], axis=1), axis=0, return_index=True)
    return Boxes(tracks[kept], frames[kept], edges[kept], repeated=len(tracks) - len(kept))
