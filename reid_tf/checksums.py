"""Size and SHA-256 of files, written beside them and compared before they are opened."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reid_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Checksum:
    """What a file held when it was written.

    Args:
        bytes: int. Its size.
        sha256: str. 64 hexadecimal digits.
    """

    bytes: int
    sha256: str


def checksums(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Measures files of a folder.

    Args:
        folder: Path.
        names: iterable of str. Paths in the folder, with "/" between their parts.

    Returns:
        dict from name to the fields of `Checksum`, as JSON values.
    """
    return {name: dataclasses.asdict(_measured(folder / name)) for name in names}


def check_files(folder: Path, wanted: Mapping[str, Checksum], source: str) -> None:
    """Compares files of a folder with what they held when they were written.

    Args:
        folder: Path.
        wanted: mapping from a path in the folder to its `Checksum`.
        source: str. The file that says so, as messages name it.

    Raises:
        InputError: a file is missing, cannot be read, or has changed.
    """
    for name, checksum in wanted.items():
        path = folder / name
        try:
            found = _measured(path)
        except OSError as error:
            raise InputError(
                f"{str(path)!r} cannot be read, and {source!r} names it: {error.strerror or error}."
            ) from None
        for field in ("bytes", "sha256"):
            was, now = getattr(checksum, field), getattr(found, field)
            if was != now:
                raise InputError(
                    f"{str(path)!r} is not the file that was written: {source!r} gives its {field!r} as {was}. "
                    f"Received: {now}."
                )


def _measured(path: Path) -> Checksum:
    with path.open("rb") as file:
        return Checksum(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
