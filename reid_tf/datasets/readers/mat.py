"""MATLAB's `.mat` files of the formats 5 to 7.2, and a sentence for what is saved under that name without being one."""

import struct
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.readers.mat5 import mat5_names, read_mat5
from reid_tf.errors import InputError

HDF5_SIGNATURE = b"\x89HDF"

# How a file begins that is often found where a .mat file was meant: a download that went wrong.
_OTHER_KINDS = {
    b"<": "an HTML page: download the file itself, not the page that links to it",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file that it stands for",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x1f\x8b": "a gzip archive: unpack it first",
}
_NEWER_KINDS = {b"MATLAB 7.3": "a MATLAB 7.3 file (HDF5): save it again with '-v7'"}

# What is raised for files that end early or hold nonsense.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, OverflowError, MemoryError, struct.error, zlib.error)


def read_mat(path: str | Path, variables: tuple[str, ...]) -> dict[str, Any]:
    """Reads some variables of a `.mat` file.

    Args:
        path: str or Path. A file of MATLAB's formats 5 to 7.2.
        variables: tuple of str. The variables that must be there.

    Returns:
        dict from variable to array, see `read_mat5`.

    Raises:
        InputError: the file is missing, is of another kind, is cut off, or lacks a
            variable.
    """
    content, start = _content(path)
    try:
        names, contents = mat5_names(content), read_mat5(content, variables)
    except _UNREADABLE as error:
        raise InputError(unreadable(Path(path), start, error)) from error
    check_variables(Path(path), variables, names)
    return contents


def mat_variables(path: str | Path) -> list[str]:
    """Lists the variables of a `.mat` file.

    Args:
        path: str or Path. A file of MATLAB's formats 5 to 7.2.

    Returns:
        list of str.

    Raises:
        InputError: the file is missing, is of another kind or is cut off.
    """
    content, start = _content(path)
    try:
        return mat5_names(content)
    except _UNREADABLE as error:
        raise InputError(unreadable(Path(path), start, error)) from error


def _content(path: str | Path) -> tuple[bytes, bytes]:
    start = first_bytes(Path(path), "MATLAB file that can be read", _NEWER_KINDS)
    return Path(path).read_bytes(), start


def first_bytes(path: Path, wanted: str, other_formats: Mapping[bytes, str]) -> bytes:
    """Returns how a file begins, when it is not of a kind that is often found where a `.mat` file was meant.

    Args:
        path: Path.
        wanted: str. What it should be, for the message.
        other_formats: mapping of how MATLAB's other formats begin to what they are, for
            the message.

    Returns:
        bytes, at most 512.

    Raises:
        InputError: the file is missing or of another kind.
    """
    if not path.is_file():
        raise InputError(f"The .mat file {str(path)!r} does not exist.")
    with path.open("rb") as file:
        start = file.read(512).lstrip()
    for prefix, kind in {**_OTHER_KINDS, **other_formats}.items():
        if start.startswith(prefix):
            raise InputError(f"{str(path)!r} is not a {wanted} but {kind}.")
    return start


def unreadable(path: Path, start: bytes, error: Exception) -> str:
    """Returns the sentence for a file that a library could not read, from its first bytes and the library's error."""
    cause = (
        f"it is cut off or damaged ({error})"
        if start.startswith((b"MATLAB", HDF5_SIGNATURE))
        else f"it begins with {start[:16]!r}, not with 'MATLAB'"
    )
    return f"{str(path)!r} cannot be read as a MATLAB file: {cause}."


def check_variables(path: Path, wanted: Iterable[str], found: Collection[str]) -> None:
    """Raises an `InputError` where a file lacks a variable; it names what the file has instead."""
    missing = [name for name in wanted if name not in found]
    if missing:
        there = ", ".join(sorted(found)) or "no variable"
        raise InputError(f"{str(path)!r} lacks the variable {missing[0]!r}: found {there} (is the file complete?).")


def strings(cells: np.ndarray) -> list[str]:
    """Returns the text of a cell array of strings, in order."""
    return [str(cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell) for cell in cells.ravel()]
