"""The persons of a tracked video cut out once, into a folder that says how it was made."""

import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.crop_folder import (
    STAMP_FILE,
    check_at_least,
    check_complete,
    check_stamp,
    cut,
    make_crop_folder,
    write_jpeg,
)
from reid_tf.datasets.doctor.findings import counted
from reid_tf.datasets.readers.box import Boxes, read_boxes
from reid_tf.datasets.readers.folders import image_names
from reid_tf.datasets.readers.video import read_frames
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.progress import progress_bar

_LEAST = {"every": 1, "min_height": 1, "min_width": 1, "quality": 1}

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CropParameters:
    """Which boxes become crops, and how they are stored.

    Args:
        every: int >= 1. The step in frames: crops come from frames 0, every, 2 * every,
            ...
        min_height: int >= 1. The least height in pixels of what lies inside the frame.
        min_width: int >= 1. The least width.
        quality: int, 1 to 100. Of the JPEG files.

    Raises:
        InputError: a value is out of its range.
    """

    every: int
    min_height: int
    min_width: int
    quality: int

    def __post_init__(self) -> None:
        check_at_least(_LEAST, dataclasses.asdict(self))


def extract_crops(folder: Path, frames: Path, boxes: Path, parameters: CropParameters) -> None:
    """Cuts the boxes out of their frames into a folder, which appears when it is complete.

    A crop is `<track>_c0_f<frame>.jpg`, so names sort by track and time.

    Args:
        folder: Path. Where the crops will be; nothing, or an empty folder.
        frames: Path. The video or the folder of frames.
        boxes: Path. The box file.
        parameters: `CropParameters`.

    Raises:
        InputError: something else is in the folder, it cannot be written, the frames or
            boxes cannot be read, or no box gives a crop.
    """

    def make(beside: Path) -> None:
        _LOG.info("Cutting the persons of %s out into %s, once.", frames, folder)
        crops = _write_crops(beside, frames, read_boxes(boxes), parameters)
        write_json(beside / STAMP_FILE, {**_stamp(frames, boxes, parameters), "crops": crops})

    make_crop_folder(folder, make)


def check_crops(folder: Path, frames: Path | None, boxes: Path | None, parameters: CropParameters) -> None:
    """Makes sure that a folder holds all crops that `extract_crops()` would write there.

    Args:
        folder: Path. A folder that `extract_crops()` wrote.
        frames: Path, or None. The video or the folder of frames; None, where it is
            gone, lets any pass.
        boxes: Path, or None. The box file, likewise.
        parameters: `CropParameters`.

    Raises:
        InputError: the crops were made in another way (the message says what differs),
            or some of them are gone.
    """
    written = check_stamp(folder, _stamp(frames, boxes, parameters))
    check_complete(folder, len(image_names(folder)), written)


def _write_crops(folder: Path, frames: Path, boxes: Boxes, parameters: CropParameters) -> int:
    """Writes the crops and returns their number; the log has the numbers of those left out."""
    chosen = boxes.frames % parameters.every == 0
    tracks, edges = boxes.tracks[chosen], boxes.edges[chosen]
    wanted, starts = np.unique(boxes.frames[chosen], return_index=True)
    if not len(wanted):
        raise InputError(
            f"every must leave at least one frame with a box: there is none in frames 0, {parameters.every}, ..."
        )
    number = 0
    images = progress_bar(
        read_frames(frames, wanted.tolist()), what="cutting crops out of", unit="frame", total=len(wanted)
    )
    for image, frame, start, stop in zip(images, wanted, starts, [*starts[1:], len(tracks)], strict=True):
        for track, box in zip(tracks[start:stop], edges[start:stop], strict=True):
            crop, _ = cut(image, box)
            if crop.shape[0] >= parameters.min_height and crop.shape[1] >= parameters.min_width:
                write_jpeg(folder / f"{track:04d}_c0_f{frame:06d}.jpg", crop, parameters.quality)
                number += 1
    small = f"outside the frame or below {parameters.min_height} x {parameters.min_width} pixels"
    left_out = counted(len(tracks) - number, "box", "boxes")
    again = counted(boxes.repeated, "box", "boxes")
    _LOG.info("%s; left out: %s %s, %s repeated in a frame.", counted(number, "crop"), left_out, small, again)
    if not number:
        raise InputError(f"No crop is left: all {len(tracks)} boxes are {small}.")
    return number


def _stamp(frames: Path | None, boxes: Path | None, parameters: CropParameters) -> dict[str, Any]:
    """Returns what the crops depend on; a source that is not there is left out."""
    stamp: dict[str, Any] = dataclasses.asdict(parameters)
    if frames is not None:
        size = len(image_names(frames)) if frames.is_dir() else frames.stat().st_size
        stamp["frames"] = f"{frames.name}, {size} {'images' if frames.is_dir() else 'bytes'}"
    if boxes is not None:
        stamp["boxes"] = f"{boxes.name}, SHA-256 {hashlib.sha256(boxes.read_bytes()).hexdigest()[:16]}"
    return stamp
