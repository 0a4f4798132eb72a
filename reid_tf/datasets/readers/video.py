"""Frames of a video file, or of a folder that holds a video's frames as images."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from reid_tf.datasets.readers.folders import image_names
from reid_tf.datasets.readers.pixels import read_image
from reid_tf.errors import InputError

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".m4v")
_NUMBER = re.compile(r"(\d+)\D*$")


def read_frames(source: Path, wanted: Sequence[int]) -> Iterator[np.ndarray]:
    """Reads some frames in one pass from the first to the last of them.

    Args:
        source: Path. A video file, or a folder of images whose names end in the frame's
            number. A folder whose lowest number is 1 counts from 1, as ffmpeg does;
            every other one from 0.
        wanted: sequence of int. Frame numbers, counted from 0, ascending.

    Yields:
        uint8 [height, width, 3]: blue, green, red, as OpenCV has them.

    Raises:
        InputError: the source cannot be read, the video ends before the last wanted
            frame, or the folder lacks one.
    """
    for frame in frames_or_reasons(source, wanted):
        if isinstance(frame, str):
            raise InputError(frame)
        yield frame


def frames_or_reasons(source: Path, wanted: Sequence[int]) -> Iterator[np.ndarray | str]:
    """Reads some frames as `read_frames` does, and goes on after one that cannot be read.

    Args:
        source: Path. As in `read_frames()`.
        wanted: sequence of int.

    Yields:
        for each wanted frame uint8 [height, width, 3], blue, green, red, or a sentence
        on what keeps it from being read.

    Raises:
        InputError: the source as a whole cannot be read.
    """
    return _read_folder(source, wanted) if source.is_dir() else _read_video(source, wanted)


def numbers_of(source: Path) -> list[int]:
    """Returns the numbers of all frames, counted from 0, as `read_frames` takes them.

    Args:
        source: Path. As in `read_frames()`. Of a video, as many as it says it has.

    Raises:
        InputError: the source cannot be read, or has no frame.
    """
    if source.is_dir():
        names = _numbered(source)
        numbers = sorted(number - _first(names) for number in names)
    else:
        capture = cv2.VideoCapture(str(source))
        try:
            numbers = list(range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))) if capture.isOpened() else []
        finally:
            capture.release()
    if not numbers:
        raise InputError(f"{str(source)!r} has no frame: it is missing, damaged or no video.")
    return numbers


def _read_video(path: Path, wanted: Sequence[int]) -> Iterator[np.ndarray | str]:
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise InputError(f"{str(path)!r} cannot be read as a video: it is missing, damaged or of another kind.")
        position = 0
        for number in wanted:
            # Seeking is not exact in every format; to decode the frames between is.
            while position < number and capture.grab():
                position += 1
            if position < number or not capture.grab():
                yield (
                    f"The video {str(path)!r} ends after {position} frames, but frames up to {wanted[-1]} (counted "
                    "from 0) are needed: it is cut off, or the boxes are of another video."
                )
                continue
            position += 1
            found, frame = capture.retrieve()
            yield frame if found and frame is not None else f"Frame {number} of {str(path)!r} cannot be decoded."
    finally:
        capture.release()


def _read_folder(folder: Path, wanted: Sequence[int]) -> Iterator[np.ndarray | str]:
    names = _numbered(folder)
    first = _first(names)
    for number in wanted:
        name = names.get(number + first, "")
        if not name:
            yield (
                f"The folder {str(folder)!r} with {len(names)} frames lacks frame {number} (counted from 0), but "
                f"frames up to {wanted[-1]} are needed."
            )
            continue
        try:
            yield read_image(str(folder / name))[..., ::-1]
        except InputError as error:
            yield str(error)


def _numbered(folder: Path) -> dict[int, str]:
    """The files of a folder by their frame's number."""
    names: dict[int, str] = {}
    for name in image_names(folder):
        match = _NUMBER.search(Path(name).stem)
        if match is None:
            raise InputError(f"Frames in {str(folder)!r} must be named with their number. Received: {name!r}.")
        if names.setdefault(int(match[1]), name) != name:
            raise InputError(f"{str(folder)!r} has frame {int(match[1])} twice: {names[int(match[1])]!r}, {name!r}.")
    return names


def _first(names: Mapping[int, str]) -> int:
    return 1 if names and min(names) == 1 else 0
