"""A gallery as one file, to be kept, moved or read by other programs: Parquet, or NumPy's .npz."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.readers.npz import UNREADABLE
from reid_tf.encoder.images import in_batches
from reid_tf.errors import InputError, require_package
from reid_tf.files import written_beside
from reid_tf.gallery.about import About
from reid_tf.gallery.entry import FIELDS
from reid_tf.gallery.gallery import Gallery
from reid_tf.gallery.store import ROWS_AT_ONCE

KEPT = (*FIELDS, "outputs", "vector")
_JSON = ("attributes", "outputs")  # columns of JSON text
_ABOUT = "reid_tf"


def export_gallery(gallery: Gallery, path: str | Path) -> int:
    """Writes all rows, vectors included, into a file.

    A Parquet file is written a thousand rows at a time; an .npz file is put together in
    memory.

    Args:
        gallery: `Gallery`.
        path: str or Path. Ends in .parquet or .npz; it is complete or absent at this
            name.

    Returns:
        int. How many rows there are.

    Raises:
        InputError: the path has another ending, or pyarrow is not installed.
    """
    path = Path(path)
    about = json.dumps(gallery.about.to_dict())
    if path.suffix.lower() == ".npz":
        rows = list(gallery.rows(KEPT))
        columns = {name: [_plain(name, row[name]) for row in rows] for name in KEPT}
        vectors = np.array(columns.pop("vector"), np.float32).reshape(-1, gallery.about.dim)
        arrays = {name: np.array(values, np.float64 if name == "quality" else None) for name, values in columns.items()}
        with written_beside(path) as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, vector=vectors, about=np.array(about), **arrays)
        return len(rows)
    _check_parquet(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"time": pa.int64(), "quality": pa.float64(), "vector": pa.list_(pa.float32(), gallery.about.dim)}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in KEPT], metadata={_ABOUT: about})
    count = 0
    with written_beside(path) as beside, pq.ParquetWriter(beside, schema) as writer:
        for _, rows in in_batches(gallery.rows(KEPT), ROWS_AT_ONCE):
            columns = {name: [_plain(name, row[name]) for row in rows] for name in KEPT}
            writer.write_table(pa.table(columns, schema=schema))
            count += len(rows)
    return count


def import_gallery(gallery: Gallery, path: str | Path) -> int:
    """Puts the rows of an exported gallery into this one; of the same id, the new row stays.

    Args:
        gallery: `Gallery` of the same encoder.
        path: str or Path. What `export_gallery()` wrote.

    Returns:
        int. How many rows there were.

    Raises:
        InputError: the file is missing or none of a gallery, or is of another encoder.
    """
    path = Path(path)
    count = 0
    for _, rows in in_batches(_read(gallery, path), ROWS_AT_ONCE):
        gallery.put_rows(rows)
        count += len(rows)
    return count


def _read(gallery: Gallery, path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise InputError(f"There is no exported gallery at {str(path)!r}.")
    if path.suffix.lower() == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                about, columns = archive["about"].item(), {name: archive[name].tolist() for name in KEPT}
        except (KeyError, TypeError, AttributeError, *UNREADABLE) as error:
            raise InputError(f"{str(path)!r} is not an exported gallery: {error}.") from None
        _check_about(gallery, about, path)
        yield from (_parsed(dict(zip(KEPT, row, strict=True))) for row in zip(*columns.values(), strict=True))
        return
    _check_parquet(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        _check_about(gallery, (file.schema_arrow.metadata or {}).get(_ABOUT.encode(), b"null").decode(), path)
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(KEPT)):
            yield from map(_parsed, batch.to_pylist())
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{str(path)!r} is not an exported gallery: {error}.") from None


def _check_about(gallery: Gallery, text: str, path: Path) -> None:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InputError(
            f"{str(path)!r} is not an exported gallery: it does not say whose encoder made it ({text[:80]})."
        )
    about = About.read(values, str(path))
    gallery.check_encoder(about.encoder, f"the file {str(path)!r}")
    if (about.dim, about.distance) != (gallery.about.dim, gallery.about.distance):
        raise InputError(
            f"The rows of {str(path)!r} have vectors of {about.dim} dimensions for the {about.distance} distance; the "
            f"gallery's have {gallery.about.dim} for {gallery.about.distance}."
        )


def _check_parquet(path: Path) -> None:
    if path.suffix.lower() != ".parquet":
        raise InputError(f"A gallery is kept in a .parquet or an .npz file. Received: {str(path)!r}.")
    require_package("pyarrow", "A .parquet file", "'reid_tf[gallery]'")


def _plain(name: str, value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if name in _JSON else value


def _parsed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(value) if name in _JSON else value for name, value in row.items()}
