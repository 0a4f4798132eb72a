"""NumPy's `.npz` files, and a sentence for what is saved under that name without being one."""

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from reid_tf.errors import InputError

# What NumPy and zipfile raise for files that end early, hold nonsense or claim more than there is memory for.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(path: str | Path, arrays: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Reads some arrays of an `.npz` file; objects that would need unpickling are refused.

    Args:
        path: str or Path. The file.
        arrays: tuple of str. The arrays that must be there.
        optional: tuple of str. Arrays that are read too where they are there.

    Returns:
        dict from name to array.

    Raises:
        InputError: the file is missing, is of another kind, is cut off, or lacks an
            array.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"The .npz file {str(path)!r} does not exist.")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            start = file.read(16)
        raise InputError(f"{str(path)!r} is not an .npz file, or is cut off: it begins with {start!r}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = sorted(file.files)
            contents = {name: file[name] for name in (*arrays, *optional) if name in found}
    except UNREADABLE as error:
        raise InputError(f"{str(path)!r} cannot be read as an .npz file: {str(error).rstrip('.')}.") from error
    for name in arrays:
        if name not in contents:
            raise InputError(f"{str(path)!r} lacks the array {name!r}; it has: {', '.join(found) or 'none'}.")
    return contents


def check_texts(path: str | Path, name: str, array: np.ndarray) -> list[str]:
    """Returns an array of an `.npz` file that lists texts.

    Args:
        path: str or Path. The file, for the message.
        name: str. The array's name, likewise.
        array: of any shape and kind.

    Returns:
        list of str.

    Raises:
        InputError: it has another shape than [N], or holds no text.
    """
    if array.ndim != 1 or (array.size and array.dtype.kind != "U"):
        raise InputError(
            f"{str(path)!r}: {name!r} must be texts, one per image. Received: shape {list(array.shape)}, {array.dtype}."
        )
    return [str(text) for text in array]
