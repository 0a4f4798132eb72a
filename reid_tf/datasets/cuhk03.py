"""CUHK03: 1,467 persons under two cameras per scene, in the split of 767 and 700 persons."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import SPLIT_FOLDERS, Split, contents, existing_root, read_splits
from reid_tf.datasets.readers.mat import read_mat, strings
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

Boxes = Literal["detected", "labeled"]
EXAMPLE = "0001_c1_01.jpg"
NAME = re.compile(r"(?P<identity>\d+)_c(?P<camera>\d+)_\d+\.(?:jpg|png)")
_VARIABLES = ("filelist", "labels", "camId", "train_idx", "query_idx", "gallery_idx")


@DATASETS.register("cuhk03")
def cuhk03(
    root: str | None,
    *,
    boxes: Boxes = "detected",
    protocol_file: str | None = None,
    landmarks: str | None = None,
) -> ReIDDataset:
    """Reads CUHK03 with its new protocol, in whichever of its two layouts is there.

    CUHK03-NP has the split in its folders: `bounding_box_train/`, `query/` and
    `bounding_box_test/`, in the root or in `detected/` and `labeled/` within it. The
    raw images lie in `images_detected/` and `images_labeled/`, and
    `cuhk03_new_protocol_config_detected.mat` (or `..._labeled.mat`) says which image is
    whose and in which split. The files that the protocol lists are taken as they are
    there; a missing image is found by `check()`.

    Args:
        root: str, or None. The folder of either layout.
        boxes: "detected" or "labeled". Boxes of a detector or drawn by hand; without
            effect where the root itself is a CUHK03-NP folder of one kind. "detected"
            is the harder and the more usual one.
        protocol_file: str, or None. The protocol of the raw layout; None takes the one
            of `boxes` in the root.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` beside
            the image folders, if it is there.

    Returns:
        `ReIDDataset`: 7,365 train, 1,400 query and 5,332 gallery images detected;
        7,368, 1,400 and 5,328 labeled.

    Raises:
        InputError: neither layout is there, or a file is not what its name says.

    References:
        Li et al., DeepReID: Deep Filter Pairing Neural Network for Person
        Re-identification, CVPR 2014; Zhong et al., Re-ranking Person Re-identification
        with k-reciprocal Encoding, CVPR 2017 (the protocol).
    """
    top = existing_root(root, "cuhk03")
    for folder in (top, top / boxes):
        if all((folder / split).is_dir() for split in SPLIT_FOLDERS.values()):
            return add_landmarks(ReIDDataset("cuhk03", *read_splits(folder, NAME, EXAMPLE)), folder, landmarks)
    images = top / f"images_{boxes}"
    if not images.is_dir():
        raise InputError(
            f"The data set 'cuhk03' needs {', '.join(SPLIT_FOLDERS.values())} (in the root or in {boxes}/), or "
            f"images_{boxes}/; found in {root!r}: {contents(top)}."
        )
    protocol = Path(protocol_file) if protocol_file else top / f"cuhk03_new_protocol_config_{boxes}.mat"
    return add_landmarks(_read_protocol(protocol, images), top, landmarks)


def _read_protocol(path: Path, images: Path) -> ReIDDataset:
    """Returns the splits that a protocol file lists; its indices count from 1."""
    mat = read_mat(path, _VARIABLES)
    names = strings(mat["filelist"])
    identities, cameras = (_integers(mat, key, path, len(names)) for key in ("labels", "camId"))
    records = [
        Record(os.path.join(images, name), identity, camera)
        for name, identity, camera in zip(names, identities, cameras, strict=True)
    ]
    train, query, gallery = (_select(records, mat, key, path) for key in ("train_idx", "query_idx", "gallery_idx"))
    return ReIDDataset("cuhk03", train, query, gallery)


def _select(records: Sequence[Record], mat: Mapping[str, Any], key: str, path: Path) -> Split:
    indices = _integers(mat, key, path)
    outside = [index for index in indices if not 1 <= index <= len(records)]
    if outside:
        raise InputError(f"{str(path)!r}: {key} must be 1 to {len(records)}. Received: {outside[0]}.")
    return tuple(records[index - 1] for index in indices)


def _integers(mat: Mapping[str, Any], key: str, path: Path, length: int | None = None) -> list[int]:
    values = np.asarray(mat[key]).ravel()
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or not np.array_equal(values, np.round(values)):
        raise InputError(f"{str(path)!r}: {key} must hold whole numbers. Received: {values[:3].tolist()}.")
    if length is not None and len(values) != length:
        raise InputError(f"{str(path)!r}: {key} must have {length} values, one per file. Received: {len(values)}.")
    return [int(value) for value in values]
