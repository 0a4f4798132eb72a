"""MATLAB's `.mat` files, and a sentence for what is saved under that name without being one."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from reid_tf.errors import InputError

# How a file begins that is often found where a .mat file was meant: a download that went wrong.
_OTHER_KINDS = {
    b"<": "an HTML page: download the file itself, not the page that links to it",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file that it stands for",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"MATLAB 7.3": "a MATLAB 7.3 file (HDF5): save it again with '-v7'",
}

# What scipy raises for files that end early or hold nonsense; it has no error class of its own for them.
_UNREADABLE = (
    scipy.io.matlab.MatReadError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    zlib.error,
)


def read_mat(path: str | Path, variables: tuple[str, ...]) -> dict[str, Any]:
    """Reads some variables of a `.mat` file.

    Args:
        path: str or Path. A file of MATLAB's formats 5 to 7.2.
        variables: tuple of str. The variables that must be there.

    Returns:
        dict from variable to what `scipy.io.loadmat` makes of it.

    Raises:
        InputError: the file is missing, is of another kind, is cut off, or lacks a variable.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The .mat file {str(path)!r} does not exist.")
    with path.open("rb") as file:
        start = file.read(512).lstrip()
    for prefix, kind in _OTHER_KINDS.items():
        if start.startswith(prefix):
            raise InputError(f"{str(path)!r} is not a MATLAB file that can be read but {kind}.")
    try:
        contents = scipy.io.loadmat(path, appendmat=False)
    except _UNREADABLE as error:
        cause = (
            f"it is cut off or damaged ({error})"
            if start.startswith(b"MATLAB")
            else f"it begins with {start[:16]!r}, not with 'MATLAB'"
        )
        raise InputError(f"{str(path)!r} cannot be read as a MATLAB file: {cause}.") from error
    missing = [name for name in variables if name not in contents]
    if missing:
        found = ", ".join(sorted(name for name in contents if not name.startswith("__"))) or "no variable"
        raise InputError(f"{str(path)!r} lacks the variable {missing[0]!r}: found {found} (is the file whole?).")
    return {name: contents[name] for name in variables}


def strings(cells: np.ndarray) -> list[str]:
    """Returns the text of a cell array of strings, in order."""
    return [str(cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell) for cell in cells.ravel()]
