"""Market-1501: 1,501 persons under six cameras, with detected boxes and distractors."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from reid_tf.datasets.attributes.files import read_market_attributes
from reid_tf.datasets.attributes.labels import AttributeLabels, add_attributes, annotation_labels
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import (
    SPLIT_FOLDERS,
    existing_root,
    find_root,
    image_names,
    read_folder,
    read_splits,
)
from reid_tf.datasets.record import JUNK, Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.registry import DATASETS

DISTRACTOR = 0  # the identity of gallery images that show nobody who is ever queried
ATTRIBUTES_FILE = "market_attribute.mat"
ANNOTATIONS_FILE = "annotations_train.csv"
MULTI_QUERY_FOLDER = "gt_bbox"
EXAMPLE = "0002_c1s1_000451_03.jpg"
# identity, camera and sequence, frame, box: "-1" is junk, "0000" a distractor.
NAME = re.compile(r"(?P<identity>-1|\d+)_c(?P<camera>\d+)s\d+_\d+_\d+\.jpg")
_CAMERA = re.compile(r"_c(\d+)")


@DATASETS.register("market1501")
def market1501(
    root: str | None,
    *,
    folders: Mapping[str, str] | None = None,
    distractors: str | None = None,
    attributes: str | None = None,
    landmarks: str | None = None,
) -> ReIDDataset:
    """Reads Market-1501 from its own folders and names.

    Junk images ("-1_...") are dropped, distractors ("0000_...") stay in the gallery as
    identity 0. `gt_bbox/`, where it is there, gives the multi-query images: those of a
    query's identity and camera.

    Args:
        root: str, or None. The folder with `bounding_box_train/`, `query/` and
            `bounding_box_test/`, or the one that holds it as `Market-1501-v15.09.15/`.
        folders: mapping, or None. Other names of the folders, by "train", "query" and
            "gallery", for variants in which nothing else differs: {"query":
            "occluded_query"}.
        distractors: str, or None. A folder of further gallery images that show no
            queried person (the 500,000 published later); any file name will do.
        attributes: str, or None. The attribute file: a `.mat` like the published one,
            or a `.csv` of annotations, whose rows are identities or images
            (`annotation_csv.py`); None takes `market_attribute.mat` or else
            `annotations_train.csv` in the root, if one is there. The query images have
            no attributes where the file is about the training identities alone.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` in the
            root, if it is there.

    Returns:
        `ReIDDataset`: 12,936 train, 3,368 query and 15,913 gallery images when the copy
        is whole.

    Raises:
        InputError: a folder or file is missing or is not what its name says.

    References:
        Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.
    """
    return read_market_layout(
        root,
        "market1501",
        inside=("Market-1501-v15.09.15",),
        folders=folders,
        distractors=distractors,
        attributes=attributes,
        landmarks=landmarks,
    )


def read_market_layout(
    root: str | None,
    name: str,
    *,
    inside: Sequence[str] = (),
    folders: Mapping[str, str] | None = None,
    distractors: str | None = None,
    attributes: str | None = None,
    landmarks: str | None = None,
) -> ReIDDataset:
    """Reads a folder that has Market-1501's layout, file names, attribute file and landmark file.

    Args:
        root: str, or None. As in `market1501()`.
        name: str. The data set's name.
        inside: sequence of str. Folders within the root where the data set may lie too.
        folders: as in `market1501()`.
        distractors: as in `market1501()`.
        attributes: as in `market1501()`.
        landmarks: as in `market1501()`.

    Returns:
        `ReIDDataset`.

    Raises:
        InputError: as `market1501()`.
    """
    for split in folders or ():
        if split not in SPLIT_FOLDERS:
            raise InputError(unknown("split in folders", split, SPLIT_FOLDERS))
    named = {**SPLIT_FOLDERS, **(folders or {})}
    folder = find_root(existing_root(root, name), name, named.values(), inside)
    train, query, gallery = read_splits(folder, NAME, EXAMPLE, named)
    if distractors is not None:
        gallery += _read_distractors(existing_root(distractors, f"{name} distractors"))
    dataset = ReIDDataset(name, train, query, gallery, multi_query=_read_multi_query(folder, query))
    return add_landmarks(_add_attributes(dataset, folder, attributes), folder, landmarks)


def _read_multi_query(root: Path, query: Sequence[Record]) -> tuple[Record, ...]:
    if not (root / MULTI_QUERY_FOLDER).is_dir():
        return ()
    queried = {(record.identity, record.camera) for record in query}
    boxes = read_folder(root / MULTI_QUERY_FOLDER, NAME, EXAMPLE)
    return tuple(record for record in boxes if (record.identity, record.camera) in queried)


def _read_distractors(folder: Path) -> tuple[Record, ...]:
    """Reads images that match nobody: the camera is the name's `_c1`, or 0 where the name has none."""
    records = []
    for name in image_names(folder):
        if not name.startswith(f"{JUNK}_"):
            camera = _CAMERA.search(name)
            records.append(Record(os.path.join(folder, name), DISTRACTOR, int(camera[1]) if camera else 0))
    if not records:
        raise InputError(f"The folder of distractors {str(folder)!r} holds no images.")
    return tuple(records)


def _add_attributes(dataset: ReIDDataset, root: Path, path: str | None) -> ReIDDataset:
    there = (root / name for name in (ATTRIBUTES_FILE, ANNOTATIONS_FILE) if (root / name).exists())
    file = Path(path) if path is not None else next(there, None)
    if file is None:
        return dataset
    if file.suffix.lower() == ".csv":
        return add_attributes(dataset, annotation_labels(file))
    return add_attributes(dataset, AttributeLabels(file, MARKET1501_SCHEMA, read_market_attributes(file)))
