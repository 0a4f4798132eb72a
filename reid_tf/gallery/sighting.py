"""What is added to a gallery: images, or vectors of them, with what is known of each."""

import csv
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.image_list import list_images
from reid_tf.datasets.readers.image_file import IMAGE_SUFFIXES
from reid_tf.encoder.images import Image, each_image
from reid_tf.errors import InputError
from reid_tf.gallery.filters import Text
from reid_tf.gallery.moments import Moment
from reid_tf.options import unknown
from reid_tf.retrieval.embeddings import Embeddings

KNOWN = ("camera", "time", "track", "person", "quality", "note")


@dataclasses.dataclass(frozen=True, eq=False)
class Sighting:
    """An image, or its vector, and what is known of it.

    Args:
        image: path, RGB array [height, width, 3], or None where the vector is given.
        vector: float [dim], or None where the image is to be embedded.
        path: str. The image's file or object key; "" takes that of `image`.
        camera: str or int, "" where unknown, as are track and person.
        time: datetime with its zone, such text in ISO 8601, or None.
        track: str or int.
        person: str or int.
        quality: float in [0, 1], or None.
        note: str.
    """

    image: Image | None = None
    vector: np.ndarray | None = None
    path: str = ""
    camera: Text = ""
    time: Moment | None = None
    track: Text = ""
    person: Text = ""
    quality: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if (self.image is None) == (self.vector is None):
            raise InputError(
                f"A sighting is an image or a vector. Received: image={_shown(self.image)}, "
                f"vector={_shown(self.vector)}."
            )


def sightings(source: Any, **known: Any) -> Iterator[Sighting]:
    """Yields what a source holds.

    Args:
        source: str or Path of a folder, of an image, of a CSV file with the column `path` and any of
            `camera`, `time`, `track`, `person`, `quality` and `note`, or of an .npz
            file that `Embeddings` wrote (its identities become persons where they are
            0 or more, its cameras likewise); `Embeddings`; or an iterable of
            `Sighting`, paths or arrays.
        **known: any of these columns, the same for all that does not say otherwise.

    Raises:
        InputError: the source does not exist or has other columns, or `known` has other
            names.
    """
    for name in known:
        if name not in KNOWN:
            raise InputError(unknown("field of a sighting", name, KNOWN))
    known = {name: value for name, value in known.items() if value is not None}
    if isinstance(source, str | Path):
        found = _of_path(Path(source))
    elif isinstance(source, Embeddings):
        found = _of_embeddings(source)
    else:
        found = _of_iterable(source)
    return (dataclasses.replace(one, **_missing(one, known)) for one in found)


def _missing(sighting: Sighting, known: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in known.items() if getattr(sighting, name) in ("", None)}


def _of_path(source: Path) -> Iterator[Sighting]:
    if source.suffix.lower() == ".npz":
        return _of_embeddings(Embeddings.load(source))
    if source.suffix.lower() == ".csv":
        return _of_csv(source)
    if source.suffix.lower() in IMAGE_SUFFIXES:
        return iter([Sighting(str(source))])
    return (Sighting(record.path) for record in list_images(source))


def _of_csv(path: Path) -> Iterator[Sighting]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a CSV file: {error}.") from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    columns = reader.fieldnames or []
    if "path" not in columns or not set(columns) <= {"path", *KNOWN}:
        raise InputError(
            f"A CSV file of images needs the column path, and may have {', '.join(KNOWN)}. Received: "
            f"{', '.join(columns) or 'no columns'} in {str(path)!r}."
        )
    return _rows(reader, path)


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[Sighting]:
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"Every row needs one cell per column. Received: line {reader.line_num} of {str(path)!r}."
                )
            cells: dict[str, Any] = {name: cell.strip() for name, cell in row.items()}
            image = str(path.parent / cells.pop("path"))
            quality = _number(cells.pop("quality", ""), reader.line_num, path)
            time = cells.pop("time", "") or None
            yield Sighting(image, quality=quality, time=time, **cells)
    except csv.Error as error:
        raise InputError(f"{str(path)!r} is no valid CSV file, line {reader.line_num}: {error}.") from None


def _number(cell: str, line: int, path: Path) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        raise InputError(f"A quality must be a number. Received: {cell!r} in line {line} of {str(path)!r}.") from None


def _of_embeddings(embeddings: Embeddings) -> Iterator[Sighting]:
    paths = embeddings.paths or ("",) * len(embeddings)
    rows = zip(embeddings.vectors, paths, embeddings.cameras.tolist(), embeddings.identities.tolist(), strict=True)
    for vector, path, camera, identity in rows:
        named: dict[str, Any] = {
            name: value for name, value in (("camera", camera), ("person", identity)) if value >= 0
        }
        yield Sighting(vector=vector, path=path, **named)


def _of_iterable(source: Iterable[Any]) -> Iterator[Sighting]:
    for given in source:
        if isinstance(given, Sighting):
            yield given
        else:
            for image in each_image([given]):
                yield Sighting(image)


def _shown(value: Any) -> str:
    return f"an array {list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)
