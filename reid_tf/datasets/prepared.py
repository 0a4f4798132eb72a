"""The prepared form of a data set, read: encoded images in a few ArrayRecord shards instead of one file per image."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.datasets.readers.encoded import check_features, place
from reid_tf.datasets.readers.folders import contents, existing_root
from reid_tf.datasets.readers.npz import read_npz
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

# Everything about the records but their images, once more beside the shards. The shards alone would do, but to list
# the records every image's bytes would be read with them; this file gives 100,000 records per second.
RECORDS_FILE = "records.npz"
INFO_FILE = "dataset_info.json"
SPLITS = ("train", "query", "gallery", "multi_query")
COLUMNS = ("identities", "cameras", "attributes", "has_attributes", "landmarks", "has_landmarks")


@DATASETS.register("prepared", formerly="tfds")
def prepared(root: str | None) -> ReIDDataset:
    """Reads a data set that `reid-tf prepare` wrote; images are read later, by random access.

    Args:
        root: str, or None. The folder that was written.

    Returns:
        `ReIDDataset` with the records of the original but for their paths, which are
        places in the shards (see `encoded.py`).

    Raises:
        InputError: the folder is missing, is not a prepared data set, or describes
            features that would run code.
    """
    folder = existing_root(root, "prepared")
    missing = [name for name in (RECORDS_FILE, INFO_FILE) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"The data set 'prepared' needs a folder that reid-tf prepare wrote; {str(folder)!r} lacks {missing[0]}; "
            f"found: {contents(folder)}."
        )
    check_features(folder)
    arrays = read_npz(folder / RECORDS_FILE, ("about", *(f"{s}_{c}" for s in SPLITS for c in COLUMNS)))
    try:
        dataset = _dataset(arrays, folder)
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"{str(folder / RECORDS_FILE)!r} is damaged: {str(error).rstrip('.')}.") from error
    _check_lengths(folder, {split: len(records) for split, records in dataset.splits().items()})
    return dataset


def _dataset(arrays: dict[str, np.ndarray], folder: Path) -> ReIDDataset:
    about = json.loads(arrays["about"].item())
    names, schema = about["identity_names"], about["attribute_schema"]
    records = {split: tuple(_records(arrays, folder, split)) for split in SPLITS}
    return ReIDDataset(
        "prepared",
        records["train"],
        records["query"],
        records["gallery"],
        attribute_schema=schema and AttributeSchema(tuple(AttributeGroup(n, tuple(classes)) for n, classes in schema)),
        identity_names=names and {int(identity): name for identity, name in names.items()},
        multi_query=records["multi_query"],
    )


def _records(arrays: dict[str, np.ndarray], folder: Path, split: str) -> Iterator[Record]:
    identities, cameras, attributes, has_attributes, landmarks, has_landmarks = (
        arrays[f"{split}_{column}"] for column in COLUMNS
    )
    if identities.dtype.kind not in "iu" or cameras.dtype.kind not in "iu":
        raise TypeError(f"identities and cameras are {identities.dtype} and {cameras.dtype}, not whole numbers")
    answers = iter(attributes.tolist())
    points = iter(landmarks)
    rows = zip(identities.tolist(), cameras.tolist(), has_attributes.tolist(), has_landmarks.tolist(), strict=True)
    for index, (identity, camera, described, located) in enumerate(rows):
        yield Record(
            place(folder, split, index),
            identity,
            camera,
            tuple(next(answers)) if described else None,
            next(points) if located else None,
        )


def _check_lengths(folder: Path, lengths: dict[str, int]) -> None:
    """Compares the records with the lengths of the shards, which another run may have replaced."""
    try:
        info = json.loads((folder / INFO_FILE).read_text())
        shards = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(folder / INFO_FILE)!r} is not a TensorFlow Datasets description: {error}.") from error
    for split, length in lengths.items():
        if shards.get(split, 0) != length:
            raise InputError(
                f"{str(folder)!r} is damaged: {RECORDS_FILE} has {length} records in {split!r} and the shards have "
                f"{shards.get(split, 0)}."
            )
