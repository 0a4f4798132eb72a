"""Files and folders that are whole or not there: written beside their place, then renamed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder and renames it to `path` when the block ends without an error.

    An existing file is replaced in one step; after an error it is as it was, and the temporary file is gone.

    Args:
        path: str or Path. The final name; its folder is made where it does not exist.

    Yields:
        Path to write to, with the final name's suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would hide the file from the group
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path` and renames it to `path` when the block ends without an error.

    Args:
        path: str or Path. The final name; nothing, or an empty folder, may stand there when the block ends.

    Yields:
        Path of an empty folder to fill.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    # The process can only be asked for its mask by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
