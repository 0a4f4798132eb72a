"""Crops that are cut out once, into a folder that says what they were made of and how."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reid_tf.datasets.readers.folders import contents
from reid_tf.errors import InputError
from reid_tf.files import made_once

STAMP_FILE = "crops.json"


def check_at_least(least: Mapping[str, float], values: Mapping[str, Any]) -> None:
    """Checks the parameters of crops, the quality of their JPEG files among them.

    Args:
        least: mapping from a parameter's name to its least value.
        values: mapping from name to value; those that `least` lacks are not looked at.

    Raises:
        InputError: a value is below its least one, or `quality` above 100.
    """
    for name, allowed in least.items():
        if not values[name] >= allowed:
            raise InputError(f"{name} must be at least {allowed}. Received: {name}={values[name]}.")
    if values["quality"] > 100:
        raise InputError(f"quality must be at most 100. Received: quality={values['quality']}.")


def cut(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts what lies inside an image out of it.

    Args:
        image: uint8 [height, width, channels].
        box: float [4]. Left, top, right and bottom edge in pixels, rounded here.

    Returns:
        The crop, a view that may be empty, and int [4], the edges that it has.
    """
    height, width = image.shape[:2]
    edges = np.clip(np.rint(box), 0, [width, height, width, height]).astype(int)
    left, top, right, bottom = edges
    return image[top:bottom, left:right], edges


def write_jpeg(path: Path, image: np.ndarray, quality: int) -> None:
    """Writes a BGR image as a JPEG file of a quality from 1 to 100."""
    path.write_bytes(bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]))


def make_crop_folder(folder: Path, make: Callable[[Path], None]) -> None:
    """Makes a folder of crops and a stamp, which appears at its name when it is complete.

    Args:
        folder: Path. Where the crops will be; nothing, or an empty folder.
        make: function of a temporary folder, which it fills. Another process that makes
            the same crops is waited for.

    Raises:
        InputError: something else is in the folder, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = f"holds {contents(folder)}" if folder.is_dir() else "is a file"
        raise InputError(f"Crops need a new or empty folder, or one with a {STAMP_FILE}: {str(folder)!r} {what}.")
    made_once(folder, STAMP_FILE, make)


def check_stamp(folder: Path, wanted: Mapping[str, Any]) -> Any:
    """Makes sure that crops were made as they should be.

    Args:
        folder: Path. A folder of crops and their stamp.
        wanted: mapping. What the stamp must say.

    Returns:
        What the stamp says of the crops' number, under the key "crops".

    Raises:
        InputError: the crops were made in another way (the message says what differs),
            or the stamp is damaged.
    """
    try:
        stamp = json.loads((folder / STAMP_FILE).read_text())
        differing = [name for name in wanted if stamp[name] != wanted[name]]
        written = stamp["crops"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(folder / STAMP_FILE)!r} is damaged ({error!r}): delete the folder.") from error
    if differing:
        raise InputError(
            f"The crops in {str(folder)!r} were made with {_settings(stamp, differing)}, not with "
            f"{_settings(wanted, differing)}: delete that folder, or name another one with the option crops."
        )
    return written


def check_complete(folder: Path, found: int, written: int) -> None:
    """Raises `InputError` where a folder has lost crops, or gained any, since they were written."""
    if found != written:
        raise InputError(
            f"The folder {str(folder)!r} holds {found} of {written} crops: delete it to have them cut out again."
        )


def _settings(stamp: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={stamp[name]!r}" for name in names)
