"""Images that lie here or in an object store: lists of them, and copies of those that are far."""

import dataclasses
import functools
import os
import urllib.parse
from collections.abc import Callable, Sequence
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
    try:
        place = _open(source)
        records = _listed(place) if place.path.lower().endswith(LISTS) else _found(place)
    except _failures() as error:
        raise InputError(f"{source!r} cannot be read: {one_line(error)}.") from error
    if not records:
        raise InputError(f"There are no images ({', '.join(IMAGE_SUFFIXES)}) at {source!r}.")
    return records


def _listed(place: "_Place") -> tuple[Record, ...]:
    import pyarrow.csv
    import pyarrow.parquet

    path = place.path
    with place.system.open_input_file(path) as file:
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


def _found(place: "_Place") -> tuple[Record, ...]:
    import pyarrow.fs

    entries = place.system.get_file_info(pyarrow.fs.FileSelector(place.path, recursive=True))
    names = sorted(entry.path for entry in entries if PurePosixPath(entry.path).suffix.lower() in IMAGE_SUFFIXES)
    return tuple(Record(place.url_of(name), identity=-1, camera=-1) for name in names)


@dataclasses.dataclass(frozen=True)
class Fetched:
    """Copies of images on this machine.

    Args:
        records: dict from the place of an image among those asked for to its `Record`,
            whose path is a file here.
        refused: dict from the place of an image that could not be had to a sentence.
    """

    records: dict[int, Record]
    refused: dict[int, str]


def fetch(records: Sequence[Record], folder: str | Path) -> Fetched:
    """Copies images that are not on this machine into a folder.

    Args:
        records: sequence of `Record`.
        folder: str or Path. Where copies go, under their number.

    Returns:
        `Fetched`; a record whose path is no URL is there as it is.

    Raises:
        InputError: no image can be had, for another reason than that it is not there
            (credentials, the network), or a package is missing.
        OSError: a copy cannot be written.
    """
    near, refused, reached = {}, {}, False
    failure: Exception | None = None
    for number, record in enumerate(records):
        if "://" not in record.path:
            near[number] = record
            continue
        try:
            place = _open(record.path)
            with place.system.open_input_file(place.path) as file:
                content = file.read()
        except _failures() as error:
            refused[number] = f"It cannot be read: {one_line(error)}."
            failure = failure if isinstance(error, FileNotFoundError) else error
            continue
        reached = True
        copy = Path(folder) / f"{number:08d}{PurePosixPath(place.path).suffix}"
        copy.write_bytes(content)
        near[number] = dataclasses.replace(record, path=str(copy))
    if failure is not None and not reached:
        raise InputError(f"None of {len(refused):,} images under URLs can be had: {one_line(failure)}.")
    return Fetched(near, refused)


@dataclasses.dataclass(frozen=True)
class _Place:
    """A path in a file system of pyarrow's, and the function from a path there to its URL."""

    system: Any
    path: str
    url_of: Callable[[str], str]


def _open(url: str) -> _Place:
    """The place of a URL or path."""
    require_package("pyarrow", "A list or folder of images under a URL, or in a Parquet file,", "'reid_tf[ray]'")
    import pyarrow.fs

    scheme, separator, rest = url.partition("://")
    try:
        if not separator:
            return _Place(pyarrow.fs.LocalFileSystem(), os.path.abspath(url), str)
        if scheme in _NATIVE:
            return _native(scheme, rest)
        import fsspec.core  # type: ignore[import-untyped]

        system, path = fsspec.core.url_to_fs(url)
        return _Place(pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(system)), path, system.unstrip_protocol)
    except (ImportError, pyarrow.ArrowException, ValueError) as error:
        raise InputError(f"{url!r} cannot be reached: {one_line(error)}.") from error


def _native(scheme: str, rest: str) -> _Place:
    """The place of host/path?options, as URLs have it: the path may be quoted, and may hold what a URL must quote."""
    rest, _, options = rest.partition("?")
    host, _, path = rest.partition("/")
    system, base = _root(scheme, host, options)
    base = f"{base.rstrip('/')}/"

    def url_of(found: str) -> str:
        options_too = f"?{options}" if options else ""
        return f"{scheme}://{host}/{urllib.parse.quote(found.removeprefix(base))}{options_too}"

    return _Place(system, base + urllib.parse.unquote(path).rstrip("/"), url_of)


@functools.lru_cache
def _root(scheme: str, host: str, options: str) -> tuple[Any, str]:
    """The file system of a host or bucket, once for all images in it, and the path of its root there."""
    import pyarrow.fs

    system, base = pyarrow.fs.FileSystem.from_uri(f"{scheme}://{host}/{f'?{options}' if options else ''}")
    return system, base


def _failures() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (OSError, ValueError, pa.ArrowException)
