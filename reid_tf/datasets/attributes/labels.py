"""What a label file says of persons and images, joined to a data set's records."""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from reid_tf.datasets.attributes.annotation_csv import read_annotations
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeSchema
from reid_tf.datasets.doctor.findings import counted, named
from reid_tf.datasets.map_records import map_records
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError

Answers = tuple[int, ...]
_IDENTITY = re.compile(r"0*\d{1,18}")


@dataclasses.dataclass(frozen=True)
class AttributeLabels:
    """The attributes that a file gives to identities or to single images; an image's own go before its identity's.

    Args:
        path: Path. The file, for messages.
        schema: `AttributeSchema`. What the class indices mean.
        identities: mapping of identity to one class index per group.
        images: mapping of image file name, without folders, to one class index per
            group.
    """

    path: Path
    schema: AttributeSchema
    identities: Mapping[int, Answers] = dataclasses.field(default_factory=dict)
    images: Mapping[str, Answers] = dataclasses.field(default_factory=dict)

    def of(self, record: Record) -> Answers | None:
        """Returns the class indices of an image, or None where the file has none for it."""
        own = self.images.get(os.path.basename(record.path))
        return own if own is not None else self.identities.get(record.identity)


def annotation_labels(path: str | Path) -> AttributeLabels:
    """Reads an annotation CSV file: an id of digits alone is an identity, any other an image's file name.

    Args:
        path: str or Path. As in `read_annotations()`.

    Returns:
        `AttributeLabels` of `MARKET1501_SCHEMA`.

    Raises:
        InputError: as `read_annotations()`.
    """
    attributes = read_annotations(path)
    numbers = {name: int(name) for name in attributes if _IDENTITY.fullmatch(name)}
    identities = {numbers[name]: answers for name, answers in attributes.items() if name in numbers}
    images = {name: answers for name, answers in attributes.items() if name not in numbers}
    return AttributeLabels(Path(path), MARKET1501_SCHEMA, identities, images)


def add_attributes(dataset: ReIDDataset, labels: AttributeLabels) -> ReIDDataset:
    """Returns the data set with the labels of a file.

    Gallery images without labels (distractors) have none, and so has the whole query
    split where the file is about the training identities alone. A file of identities
    must otherwise cover the training and query identities; one of images need not cover
    all of them. Labels of identities that the images do not show are passed over.

    Args:
        dataset: `ReIDDataset`.
        labels: `AttributeLabels`.

    Returns:
        `ReIDDataset` with the labels' schema.

    Raises:
        InputError: the file says nothing about any of the images, or lacks identities;
            the message names them.
    """
    described = map_records(lambda record: dataclasses.replace(record, attributes=labels.of(record)), dataset)
    if _describes_none(described):
        raise InputError(
            f"{str(labels.path)!r} describes none of the images (a label file of another data set?): it has "
            f"{named([*labels.identities, *labels.images], 5) or 'nothing'}, and the images show the identities "
            f"{named(sorted(_identities(record for split in dataset.splits().values() for record in split)), 5)}."
        )
    if labels.identities:
        _check_complete(described, labels.path)
    return dataclasses.replace(described, attribute_schema=labels.schema)


def _describes_none(dataset: ReIDDataset) -> bool:
    records = [record for split in dataset.splits().values() for record in split]
    return bool(records) and all(record.attributes is None for record in records)


def _check_complete(dataset: ReIDDataset, path: Path) -> None:
    missing = _identities(record for record in dataset.train if record.attributes is None)
    unlabelled = [record for record in dataset.query if record.attributes is None]
    if len(unlabelled) < len(dataset.query):
        missing |= _identities(unlabelled)
    if missing:
        raise InputError(
            f"{str(path)!r} has no attributes for {counted(len(missing), 'identity', 'identities')} of the images: "
            f"{named(sorted(missing), 5)}."
        )


def _identities(records: Iterable[Record]) -> set[int]:
    return {record.identity for record in records}
