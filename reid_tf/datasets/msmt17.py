"""MSMT17: 4,101 persons under fifteen cameras, twelve outdoors, in lists beside two folders of images."""

import os
import re
from collections import Counter
from pathlib import Path

from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import contents, existing_root, file_names
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

# The second version has the same images with masked faces, in folders of other names.
VERSIONS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
INSIDE = (".", "MSMT17_V1", "MSMT17_V2", "MSMT17")
EXAMPLE = "0000/0000_000_01_0303morning_0008_0.jpg 0"
# The image (person's folder, person, number, camera, time, ...) and its label.
LINE = re.compile(r"(?P<path>(?P<folder>\d+)/(?P<person>\d+)_\d+_(?P<camera>\d+)_[^/ ]+) (?P<label>\d+)")


@DATASETS.register("msmt17")
def msmt17(root: str | None, *, validation_list: bool = True, landmarks: str | None = None) -> ReIDDataset:
    """Reads MSMT17, of either version, by its own lists.

    Both versions have the same images; in V2 faces are masked. Persons of the test part
    are counted on after those of the training part, whose labels begin with 0 as well.

    Args:
        root: str, or None. The folder with the lists and the folders of images, or the
            one that holds it as `MSMT17_V1/`, `MSMT17_V2/` or `MSMT17/`.
        validation_list: bool. Whether the images of `list_val.txt` train too: they are
            of the training persons, and with them they are the published 32,621.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` in the
            root, if it is there.

    Returns:
        `ReIDDataset`: 32,621 train, 11,659 query and 82,161 gallery images when the
        copy is whole.

    Raises:
        InputError: a folder or list is missing, a line is not what it should be, or
            lists and folders disagree about the images.

    References:
        Wei et al., Person Transfer GAN to Bridge Domain Gap for Person
        Re-Identification, CVPR 2018.
    """
    folder, (train_folder, test_folder) = _find(existing_root(root, "msmt17"))
    train, validation, query, gallery = (
        _read_list(folder / name, folder / images)
        for name, images in zip(LISTS, (train_folder, train_folder, test_folder, test_folder), strict=True)
    )
    _check_files(folder / train_folder, (*train, *validation))
    _check_files(folder / test_folder, (*query, *gallery))
    learnt = (*train, *validation) if validation_list else train
    first = 1 + max((record.identity for record in (*train, *validation)), default=-1)
    query, gallery = (
        tuple(Record(record.path, first + record.identity, record.camera) for record in part)
        for part in (query, gallery)
    )
    return add_landmarks(ReIDDataset("msmt17", learnt, query, gallery), folder, landmarks)


def _find(root: Path) -> tuple[Path, tuple[str, str]]:
    for folder in (root / inside for inside in INSIDE):
        if all((folder / name).is_file() for name in LISTS):
            for folders in VERSIONS.values():
                if all((folder / name).is_dir() for name in folders):
                    return folder, folders
    versions = " or ".join(" and ".join(folders) for folders in VERSIONS.values())
    raise InputError(
        f"The data set 'msmt17' needs {', '.join(LISTS)} and the folders {versions}; found in {str(root)!r}: "
        f"{contents(root)}."
    )


def _read_list(path: Path, folder: Path) -> tuple[Record, ...]:
    records = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        match = LINE.fullmatch(line.strip())
        if match is None or int(match["folder"]) != int(match["person"]) or int(match["label"]) != int(match["person"]):
            raise InputError(
                f"Line {number} of {str(path)!r} must be like {EXAMPLE!r}, with one number for the person throughout. "
                f"Received: {line[:80]!r}."
            )
        records.append(Record(os.path.join(folder, match["path"]), int(match["person"]), int(match["camera"])))
    return tuple(records)


def _check_files(folder: Path, records: tuple[Record, ...]) -> None:
    listed = Counter(record.path for record in records)
    twice = [path for path, count in listed.items() if count > 1]
    found = {os.path.join(folder, name) for name in file_names(folder)}
    missing, unlisted = sorted(listed.keys() - found), sorted(found - listed.keys())
    for what, paths in (("listed twice", twice), ("listed but not there", missing), ("there but not listed", unlisted)):
        if paths:
            raise InputError(
                f"The lists of the data set 'msmt17' and the folder {str(folder)!r} disagree: {len(paths)} images are "
                f"{what}, the first being {paths[0]!r}."
            )
