"""Files and folders that are either complete at their name or not there."""

import contextlib
import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name in the same folder; what is written there gets the final name when the block succeeds.

    Args:
        path: str or Path. The final name; its folder is made when missing. The suffix
            is kept, because libraries choose the format by it.

    Yields:
        Path to write to. It is removed when the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_beside(path: str | Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path` and renames it to `path` when the block ends without an error.

    Args:
        path: str or Path. The final name; nothing, or an empty folder, may be there
            when the block ends.

    Yields:
        Path of an empty folder to fill. It is removed when the block raises.

    Raises:
        OSError: the folder cannot be made, or something else took the final name
            meanwhile.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name is unique, so that several processes can fill the same folder: the first one wins.
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())  # mkdtemp keeps everybody else out
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a table, complete or not at all.

    Args:
        path: str or Path.
        rows: sequence of mappings from column to value. Columns come in the order in
            which they first appear; None, NaN and a missing value are empty cells.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            # NaN is the value that does not equal itself.
            writer.writerow({column: "" if value is None or value != value else value for column, value in row.items()})


def write_json(path: str | Path, value: Any) -> None:
    """Writes a value as indented JSON, complete or not at all; NaN and infinity raise `ValueError`."""
    with written_beside(path) as beside:
        beside.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def _umask() -> int:
    # The process can only be asked for its mask by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
