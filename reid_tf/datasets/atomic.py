"""Folders that are whole or not there: filled beside their place, then renamed (for single files see `files.py`)."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path` and renames it to `path` when the block ends without an error.

    Args:
        path: str or Path. The final name; nothing, or an empty folder, may stand there when the block ends.

    Yields:
        Path of an empty folder to fill. It is removed when the block raises.

    Raises:
        OSError: the folder cannot be made, or something else took the final name meanwhile.
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


def _umask() -> int:
    # The process can only be asked for its mask by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
