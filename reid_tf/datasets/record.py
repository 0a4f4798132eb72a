"""What a data set is made of: records of images, in three splits."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.errors import InputError

JUNK = -1
NUM_LANDMARKS = 18  # OpenPose's COCO-18, see `Record.landmarks`
SAME, DIFFERENT = 0, 1  # the classes of a pair of images: one person, two people


@dataclasses.dataclass(frozen=True, repr=False)
class Record:
    """One image of one person.

    Args:
        path: str. The image file, or a place in a prepared data set (see
            `datasets/readers/encoded.py`).
        identity: int of 64 bits. Who it shows. -1, which only loaders assign, marks junk, which no
            split holds, and images of which nobody says who they show: the whole query
            and gallery of a challenge, never a training image.
        camera: int of 64 bits. Which camera took it.
        attributes: tuple of int, or None. One class index per group of the data set's
            schema, -1 where unknown.
        landmarks: float32 [18, 3], or None. x and y in [0, 1] of the image and a
            confidence, in OpenPose's COCO-18
            order: nose, neck, right shoulder, elbow, wrist, left shoulder, elbow,
                wrist, right hip, knee, ankle, left hip, knee, ankle, right eye, left
                eye, right ear, left ear.

    Raises:
        InputError: identity or camera has more than 64 bits.
    """

    path: str
    identity: int
    camera: int
    attributes: tuple[int, ...] | None = None
    landmarks: np.ndarray | None = None

    def __post_init__(self) -> None:
        for field, value in (("identity", self.identity), ("camera", self.camera)):
            if not fits_64_bits(value):
                raise InputError(
                    f"The {field} of an image must be a whole number of at most 64 bits. Received: {value} for "
                    f"{self.path!r}."
                )

    def __repr__(self) -> str:
        attributes = f", {len(self.attributes)} attributes" if self.attributes is not None else ""
        landmarks = ", landmarks" if self.landmarks is not None else ""
        return f"Record({self.path!r}, identity={self.identity}, camera={self.camera}{attributes}{landmarks})"


@dataclasses.dataclass(frozen=True, repr=False)
class ReIDDataset:
    """A data set in its splits.

    Args:
        name: str. The registered name it was loaded by.
        train: tuple of `Record`. Images to learn from.
        query: tuple of `Record`. Images to search with.
        gallery: tuple of `Record`. Images searched in; distractors (people who are
            never queried) included.
        attribute_schema: `AttributeSchema`, or None. What the records' `attributes`
            mean.
        identity_names: mapping of int to str, or None. The text that the data set uses
            for an identity.
        multi_query: tuple of `Record`. More images of the query identities
            (Market-1501's hand-drawn boxes), for queries that pool several images of
            one person and camera.
        root: str, or None. The folder that the paths of a landmark file are relative
            to; None where there is none.
        camera_sources: mapping of int to str, or None. Of a data set made of several,
            the one that each camera belongs to.
    """

    name: str
    train: tuple[Record, ...]
    query: tuple[Record, ...]
    gallery: tuple[Record, ...]
    attribute_schema: AttributeSchema | None = None
    identity_names: Mapping[int, str] | None = None
    multi_query: tuple[Record, ...] = ()
    root: str | None = None
    camera_sources: Mapping[int, str] | None = None

    def __repr__(self) -> str:
        splits = (
            f"{split} {len(records):,} images of {count_people(records):,} people"
            for split, records in self.splits().items()
            if records
        )
        return f"{self.name}: {', '.join(splits) or 'no images'}"

    @property
    def num_identities(self) -> int:
        """Number of people to learn from: the classes of an identity softmax."""
        return len({record.identity for record in self.train})

    @property
    def names_test_people(self) -> bool:
        """Whether every query and gallery image says who it shows, so that retrieval can be judged on them."""
        return all(record.identity != JUNK for record in (*self.query, *self.gallery))

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the data sets that this one is made of; none where it is one."""
        return tuple(dict.fromkeys((self.camera_sources or {}).values()))

    def source_of(self, record: Record) -> str:
        """Returns the name of the data set that a record comes from."""
        return self.camera_sources[record.camera] if self.camera_sources else self.name

    def splits(self) -> dict[str, tuple[Record, ...]]:
        """Returns the records of every split by its name."""
        return {"train": self.train, "query": self.query, "gallery": self.gallery, "multi_query": self.multi_query}


def fits_64_bits(value: int) -> bool:
    """Returns whether a number is one of int64, as arrays of identities hold them."""
    return -(2**63) <= value < 2**63


def count_people(records: Iterable[Record]) -> int:
    """Counts the people of some records; images of which nobody says who they show count for none.

    Args:
        records: iterable of `Record`.

    Returns:
        int.
    """
    return len({record.identity for record in records} - {JUNK})


def class_of_identity(records: Iterable[Record]) -> dict[int, int]:
    """Numbers the identities of some records 0 .. n-1 in ascending order, for a softmax over them.

    Args:
        records: iterable of `Record`.

    Returns:
        dict from identity to class index.
    """
    return {identity: index for index, identity in enumerate(sorted({record.identity for record in records}))}
