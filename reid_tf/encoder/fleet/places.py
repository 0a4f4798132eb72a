"""Images that lie here or in an object store: lists of them, and copies of those that are far."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from reid_tf.datasets.image_list import list_images
from reid_tf.datasets.readers.image_file import IMAGE_SUFFIXES
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError, one_line, require_package

LISTS = (".csv", ".parquet")
_NATIVE = ("s3", "gs", "gcs", "hdfs", "abfs", "abfss", "file")  # pyarrow's own; fsspec knows many more


def images_at(source: str) -> tuple[Record, ...]:
    """Lists images of a folder or of a list, here or in an object store.

    Args:
        source: str. A folder or a CSV as `list_images` takes them; a Parquet file with
            a column `path` and perhaps `identity` and `camera`, whole numbers; or a
            folder, a Parquet file or a CSV with a column `path` under a URL such as
            s3://bucket/crops.

    Returns:
        tuple of `Record`, with identity and camera -1 where nothing says them. Paths
        are as the list has them, which may be URLs.

    Raises:
        InputError: nothing is there, it holds no images or no such column, the place
            cannot be reached, or a package is missing.
    """
    if "://" not in source and Path(source).suffix.lower() != ".parquet":
        return list_images(source)
    system, path = _open(source)
    try:
        records = _listed(system, path) if path.lower().endswith(LISTS) else _found(system, path, source)
    except _failures() as error:
        raise InputError(f"{source!r} cannot be read: {one_line(error)}.") from error
    if not records:
        raise InputError(f"There are no images ({', '.join(IMAGE_SUFFIXES)}) at {source!r}.")
    return records


def _listed(system: Any, path: str) -> tuple[Record, ...]:
    import pyarrow.csv
    import pyarrow.parquet

    with system.open_input_file(path) as file:
        table = pyarrow.csv.read_csv(file) if path.lower().endswith(".csv") else pyarrow.parquet.read_table(file)
    if "path" not in table.column_names:
        raise InputError(f"A list of images needs a column 'path'. Received: {path!r} with {table.column_names}.")
    columns: dict[str, Sequence[Any]] = {"path": [str(text) for text in table["path"].to_pylist()]}
    for name in ("identity", "camera"):
        given = table[name].to_pylist() if name in table.column_names else [-1] * table.num_rows
        if not all(isinstance(value, int) for value in given):
            raise InputError(f"The column {name!r} of {path!r} must hold whole numbers. Received: {given[:3]}...")
        columns[name] = given
    return tuple(Record(*row) for row in zip(*columns.values(), strict=True))


def _found(system: Any, path: str, source: str) -> tuple[Record, ...]:
    import pyarrow.fs

    scheme = source.partition("://")[0]
    entries = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    names = sorted(entry.path for entry in entries if PurePosixPath(entry.path).suffix.lower() in IMAGE_SUFFIXES)
    return tuple(Record(f"{scheme}://{name}", identity=-1, camera=-1) for name in names)


@dataclasses.dataclass(frozen=True)
class Fetched:
    """Copies of images on this machine.

    Args:
        records: tuple of `Record` whose paths are files here, in the order asked for.
        refused: dict from the path of an image that could not be had to a sentence.
    """

    records: tuple[Record, ...]
    refused: dict[str, str]


def fetch(records: Sequence[Record], folder: str | Path) -> Fetched:
    """Copies images that are not on this machine into a folder.

    Args:
        records: sequence of `Record`.
        folder: str or Path. Where copies go, under their number.

    Returns:
        `Fetched`; a record whose path is no URL is there as it is.

    Raises:
        InputError: the store cannot be reached at all, or a package is missing.
    """
    near, refused, systems = [], {}, {}
    for number, record in enumerate(records):
        if "://" not in record.path:
            near.append(record)
            continue
        scheme = record.path.partition("://")[0]
        if scheme not in systems:
            systems[scheme] = _open(record.path)[0]
        copy = Path(folder) / f"{number:08d}{PurePosixPath(record.path).suffix}"
        try:
            with systems[scheme].open_input_file(_inside(systems[scheme], record.path)) as file:
                copy.write_bytes(file.read())
        except _failures() as error:
            refused[record.path] = f"It cannot be read: {one_line(error)}."
        else:
            near.append(dataclasses.replace(record, path=str(copy)))
    return Fetched(tuple(near), refused)


def _open(place: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it."""
    require_package("pyarrow", "A list or folder of images under a URL, or in a Parquet file,", "'reid_tf[ray]'")
    import pyarrow.fs

    scheme, separator, rest = place.partition("://")
    try:
        if not separator:
            return pyarrow.fs.LocalFileSystem(), os.path.abspath(place)
        if scheme in _NATIVE:
            return pyarrow.fs.FileSystem.from_uri(place)
        import fsspec  # type: ignore[import-untyped]

        system = fsspec.filesystem(scheme)
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(system)), rest
    except (OSError, ValueError, ImportError, pyarrow.ArrowException) as error:
        raise InputError(f"{place!r} cannot be reached: {one_line(error)}.") from error


def _inside(system: Any, url: str) -> str:
    return str(system.normalize_path(url.partition("://")[2])) if "://" in url else url


def _failures() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (OSError, ValueError, pa.ArrowException)
