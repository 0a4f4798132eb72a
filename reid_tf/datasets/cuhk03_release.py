"""CUHK03 as it was released, one MATLAB file, written once as a folder of images."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reid_tf.datasets.doctor.findings import counted
from reid_tf.datasets.readers.folders import contents, image_names
from reid_tf.datasets.readers.hdf5 import Hdf5Mat, open_hdf5_mat
from reid_tf.errors import InputError
from reid_tf.files import made_once, write_json
from reid_tf.progress import progress_bar

STAMP_FILE = "release.json"
IMAGES_PER_CAMERA = 5

Person = tuple[int, int]  # camera pair and number in it, both from 1

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Release:
    """What the release says beside its images.

    Args:
        persons: tuple of int. Number of persons of each camera pair.
        test_sets: tuple of tuples of (camera pair, person), both from 1. Who is tested
            in each split.
    """

    persons: tuple[int, ...]
    test_sets: tuple[tuple[Person, ...], ...]


def extract_release(mat_file: Path, boxes: str, folder: Path) -> None:
    """Writes the images of the release into a folder, which appears when it is complete.

    An image is `<camera pair>_<person>_<camera of the pair>_<index>.png`, 1 to 5 of the
    first and 6 to 10 of the second camera. PNG keeps every pixel.

    Args:
        mat_file: Path. `cuhk-03.mat`.
        boxes: str. The variable with the images.
        folder: Path. Where they will be; nothing, or an empty folder.

    Raises:
        InputError: something else is in the folder, it cannot be written, or the file
            is not the release.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = f"holds {contents(folder)}" if folder.is_dir() else "is a file"
        raise InputError(f"The images need a new or empty folder, or one with a {STAMP_FILE}: {str(folder)!r} {what}.")
    with open_hdf5_mat(mat_file, (boxes, "testsets")) as mat:
        pairs = [mat.cells(pair) for pair in mat.cells(boxes).ravel()]
        _check_pairs(pairs, mat_file, boxes)
        test_sets = [_test_set(mat, cell, mat_file) for cell in mat.cells("testsets").ravel()]
        persons = [len(pair) for pair in pairs]
        _check_test_sets(test_sets, persons, mat_file)

        def make(beside: Path) -> None:
            _LOG.info("Writing the images of %s into %s, once.", mat_file, folder)
            images = _write_images(beside, mat, pairs, mat_file)
            stamp = {"source": _source(mat_file), "images": images, "persons": persons, "test_sets": test_sets}
            write_json(beside / STAMP_FILE, stamp)

        made_once(folder, STAMP_FILE, make)


def read_release(folder: Path, mat_file: Path) -> Release:
    """Makes sure that a folder holds all images of the release, and reads what is known beside them.

    Args:
        folder: Path. What `extract_release()` wrote.
        mat_file: Path. The file that they should be from; where it is gone, any is
            right.

    Returns:
        `Release`.

    Raises:
        InputError: the images are from another file, or some of them are gone.
    """
    try:
        stamp: dict[str, Any] = json.loads((folder / STAMP_FILE).read_text())
        source, images = stamp["source"], stamp["images"]
        test_sets = tuple(tuple((pair, person) for pair, person in test_set) for test_set in stamp["test_sets"])
        release = Release(tuple(stamp["persons"]), test_sets)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(folder / STAMP_FILE)!r} is damaged ({error!r}): delete the folder.") from error
    if mat_file.is_file() and source != _source(mat_file):
        raise InputError(
            f"The images in {str(folder)!r} are from {source}, but the file beside them is {_source(mat_file)}: "
            "delete the folder to have them written again."
        )
    found = len(image_names(folder))
    if found != images:
        raise InputError(
            f"The folder {str(folder)!r} holds {found} of {images} images: delete it to have them written again."
        )
    return release


def _check_pairs(pairs: Sequence[np.ndarray], mat_file: Path, boxes: str) -> None:
    for number, pair in enumerate(pairs, 1):
        if pair.ndim != 2 or pair.shape[1] != 2 * IMAGES_PER_CAMERA:
            raise InputError(
                f"{str(mat_file)!r}: {boxes} must have {2 * IMAGES_PER_CAMERA} cells per person. Received: "
                f"{list(pair.shape)} for camera pair {number}."
            )


def _test_set(mat: Hdf5Mat, cell: Any, mat_file: Path) -> list[Person]:
    values = mat.read(cell)
    if values.ndim != 2 or values.shape[1] != 2 or values.dtype.kind not in "fiu" or (values != np.round(values)).any():
        raise InputError(
            f"{str(mat_file)!r}: a cell of testsets must hold whole numbers [persons, 2]. Received: {values.dtype} "
            f"{list(values.shape)}, {values.ravel()[:4].tolist()}."
        )
    return [(int(pair), int(person)) for pair, person in values]


def _check_test_sets(test_sets: Sequence[Sequence[Person]], persons: Sequence[int], mat_file: Path) -> None:
    for number, test_set in enumerate(test_sets):
        for pair, person in test_set:
            if not 1 <= pair <= len(persons) or not 1 <= person <= persons[pair - 1]:
                raise InputError(
                    f"{str(mat_file)!r}: testsets must name persons that exist, in camera pairs of {list(persons)} "
                    f"persons. Received: person {person} of camera pair {pair} in split {number}."
                )


def _write_images(folder: Path, mat: Hdf5Mat, pairs: Sequence[np.ndarray], mat_file: Path) -> int:
    """Writes the images and returns their number."""
    people = [(pair, person) for pair, cells in enumerate(pairs, 1) for person in range(1, len(cells) + 1)]
    number = 0
    for pair, person in progress_bar(people, what="writing the images of", unit="person", total=len(people)):
        for index, cell in enumerate(pairs[pair - 1][person - 1], 1):
            image = mat.read(cell)
            if image.ndim < 3 and not image.any():  # there are fewer images than cells
                continue
            camera = 1 if index <= IMAGES_PER_CAMERA else 2
            name = f"{pair}_{person:03d}_{camera}_{index:02d}.png"
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise InputError(
                    f"{str(mat_file)!r}: an image must be uint8 [height, width, 3]. Received: {image.dtype} "
                    f"{list(image.shape)} for {name}."
                )
            bgr = np.ascontiguousarray(image[..., ::-1])
            (folder / name).write_bytes(bytes(cv2.imencode(".png", bgr)[1]))
            number += 1
    _LOG.info("%s of %s.", counted(number, "image"), counted(len(people), "person"))
    return number


def _source(mat_file: Path) -> str:
    return f"{mat_file.name}, {mat_file.stat().st_size} bytes"
