"""CUHK03 with its classic protocol: 20 splits of 1,367 and 100 persons, evaluated by single shots."""

import os
import re
from itertools import accumulate
from pathlib import Path
from typing import Literal

from reid_tf.datasets.cuhk03 import Boxes
from reid_tf.datasets.cuhk03_release import STAMP_FILE, Person, Release, extract_release, read_release
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import existing_root, find_root, image_names
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

Split = Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
MAT_FILE = "cuhk-03.mat"
INSIDE = "cuhk03_release"
EXAMPLE = "1_001_2_06.png"
NAME = re.compile(r"(?P<pair>\d+)_(?P<person>\d+)_(?P<camera>[12])_\d+\.png")


@DATASETS.register("cuhk03_classic")
def cuhk03_classic(
    root: str | None,
    *,
    boxes: Boxes = "detected",
    split: Split = 0,
    landmarks: str | None = None,
) -> ReIDDataset:
    """Reads CUHK03 as it was released, with one of the 20 splits of its own protocol.

    The images under the first camera of each pair are the queries, those under the
    second the gallery: evaluate with the protocol `cuhk03_single_shot`. Published
    figures are means over the 20 splits.

    At the first call the images are written, without loss, into `images_detected/` or
    `images_labeled/` beside the MATLAB file, which is not needed afterwards. They have
    the names that the new protocol lists, so that `cuhk03` reads them too; identities
    are numbered as there, and each of the ten cameras has its own number, 1 to 10.

    Args:
        root: str, or None. The folder with `cuhk-03.mat`, or the one that holds it as
            `cuhk03_release/`.
        boxes: "detected" or "labeled". Boxes of a detector or drawn by hand; "detected"
            is the harder one and the default of `cuhk03`.
        split: int, 0 to 19. Which of the splits, in the file's order.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` beside
            the image folder, if it is there.

    Returns:
        `ReIDDataset` with 1,467 persons and 14,097 images detected, 14,096 labeled.

    Raises:
        InputError: the file is missing or not the release, the folder for the images is
            taken or incomplete, or the file has fewer splits.

    References:
        Li et al., DeepReID: Deep Filter Pairing Neural Network for Person
        Re-identification, CVPR 2014.
    """
    folder = _find(existing_root(root, "cuhk03_classic"), f"images_{boxes}")
    images = folder / f"images_{boxes}"
    if not (images / STAMP_FILE).is_file():
        extract_release(folder / MAT_FILE, boxes, images)
    release = read_release(images, folder / MAT_FILE)
    if not 0 <= split < len(release.test_sets):
        raise InputError(f"split must be 0 to {len(release.test_sets) - 1}. Received: split={split}.")
    dataset = _split(_read_images(images, release), frozenset(release.test_sets[split]))
    return add_landmarks(dataset, folder, landmarks)


def _find(root: Path, images: str) -> Path:
    for folder in (root, root / INSIDE):
        if (folder / images / STAMP_FILE).is_file():
            return folder
    return find_root(root, "cuhk03_classic", (MAT_FILE,), (INSIDE,))


def _read_images(folder: Path, release: Release) -> list[tuple[Person, Record]]:
    """Returns every image with its person; persons are numbered from 1 through all camera pairs."""
    before = [0, *accumulate(release.persons)]
    images = []
    for name in image_names(folder):
        match = NAME.fullmatch(name)
        pair, number = (int(match["pair"]), int(match["person"])) if match else (0, 0)
        if match is None or not 1 <= pair <= len(release.persons) or not 1 <= number <= release.persons[pair - 1]:
            raise InputError(
                f"Images in {str(folder)!r} must be named like {EXAMPLE!r}, by persons of the release. Received: "
                f"{name!r}."
            )
        record = Record(os.path.join(folder, name), before[pair - 1] + number, 2 * (pair - 1) + int(match["camera"]))
        images.append(((pair, number), record))
    return images


def _split(images: list[tuple[Person, Record]], tested: frozenset[Person]) -> ReIDDataset:
    train = tuple(record for person, record in images if person not in tested)
    test = [record for person, record in images if person in tested]
    query = tuple(record for record in test if record.camera % 2)  # odd: the first camera of a pair
    return ReIDDataset("cuhk03_classic", train, query, tuple(record for record in test if not record.camera % 2))
