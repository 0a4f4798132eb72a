"""Files and folders that are either complete at their name or not there, each written by one process at a time."""

import contextlib
import csv
import errno
import functools
import glob
import io
import json
import logging
import os
import platform
import secrets
import shutil
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from reid_tf.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where nothing is claimed
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_LONGEST_NAME = 255 - len(".writing-01234567-")  # bytes that a file system leaves of a name, beside what is put before
_ANYBODY_WRITES = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_NO_ROOM = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_held: set[tuple[int, Path]] = set()  # what the threads of this process have claimed


def user_path(path: str | Path, instead: str) -> Path:
    """Returns a path in which `~` stands for the user's home folder.

    Args:
        path: str or Path.
        instead: str. What to do where there is no home folder.

    Raises:
        InputError: there is none, as in some containers.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(path)!r} needs a home folder, and this user has none: {instead}.") from error


def check_output(path: str | Path, folder: bool = False) -> Path:
    """Says before the work what would keep its result from being written.

    Args:
        path: str or Path. Where it is to be.
        folder: bool. Whether it is a folder.

    Returns:
        Path.

    Raises:
        InputError: the name is empty or too long, a folder where a file is needed (or
            the other way round) or under a file, or the folder above is read-only.
    """
    wanted = "folder" if folder else "file"
    if not str(path).strip() or "\0" in str(path):
        raise InputError(f"The {wanted} to write needs a name, without a zero byte in it. Received: {path!r}.")
    path = Path(path)
    try:
        if len(os.fsencode(path.name)) > _LONGEST_NAME:
            raise OSError(errno.ENAMETOOLONG, f"a name has at most {_LONGEST_NAME} bytes")
        if path.exists() and path.is_dir() != folder:
            found = "a folder" if path.is_dir() else "a file"
            raise InputError(f"{str(path)!r} is to be a {wanted}. Received: {found} that exists.")
        there = next(above for above in path.absolute().parents if above.exists())
        if not there.is_dir():
            raise InputError(f"{str(path)!r} cannot be written: {str(there)!r} above it is a file.")
        # The system would let the superuser write into a folder that nobody may write to.
        if not (os.access(there, os.W_OK | os.X_OK) and there.stat().st_mode & _ANYBODY_WRITES):
            raise OSError(errno.EACCES, f"the folder {str(there)!r} is read-only")
    except OSError as error:
        raise InputError(_cannot(path, error)) from error
    return path


@contextlib.contextmanager
def claimed(path: str | Path, *, folder: bool = False, wait: bool = False) -> Iterator[None]:
    """Makes a thread of this process the only writer of a file or folder while the block runs.

    The claim is a lock on the file `.claim-NAME` beside it, which the system releases
    when the process ends, however it ends: a claim of a dead process is no obstacle,
    and what it left half written is removed. A block inside another one of the same
    name is free. Where a file system knows no locks a warning says so, and nothing is
    claimed.

    Args:
        path: str or Path. The name that the result will have.
        folder: bool. Whether it is a folder.
        wait: bool. Whether to wait for another writer's end, where both write the same.

    Raises:
        InputError: another process writes there, `check_output` has something to say,
            or the disk is full, before the block or in it.
    """
    path = Path(os.path.realpath(check_output(path, folder)))
    me = (threading.get_ident(), path)
    if me in _held:
        yield
        return
    made = [above for above in path.parents if not above.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path, wait)
    except OSError as error:
        raise InputError(_cannot(path, error)) from error
    _held.add(me)
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        room = no_room(error)
        if room:
            raise InputError(f"{str(path)!r} cannot be written: {room}.") from error
        raise
    finally:
        _held.discard(me)
        if lock:
            with contextlib.suppress(OSError):  # the folder may have been moved meanwhile
                _claim_file(path).unlink()
            lock.close()
        with contextlib.suppress(OSError):  # what was made for nothing is empty
            for above in made:
                above.rmdir()


@contextlib.contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name in the same folder; what is written there gets the final name when the block succeeds.

    Args:
        path: str or Path. The final name; its folder is made when missing. The suffix
            is kept, because libraries choose the format by it.

    Yields:
        Path to write to. It is removed when the block raises.

    Raises:
        InputError: the file cannot be written, or the disk is full.
    """
    path = Path(path)
    with claimed(path, wait=True):
        beside = _beside(path)
        try:
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_beside(path: str | Path) -> Iterator[Path]:
    """Gives a temporary folder beside `path` and renames it to `path` when the block ends without an error.

    Args:
        path: str or Path. The final name; nothing, or an empty folder, may be there.

    Yields:
        Path of an empty folder to fill. It is removed when the block raises.

    Raises:
        InputError: something is at the final name, another process writes there, or the
            folder cannot be written.
    """
    path = Path(path)
    with claimed(path, folder=True):
        if path.exists() and any(path.iterdir()):
            raise InputError(f"{str(path)!r} must be a new folder or an empty one. Received: one that holds something.")
        beside = _beside(path)
        beside.mkdir()
        try:
            yield beside
            beside.replace(path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def made_once(folder: Path, stamp: str, make: Callable[[Path], None]) -> None:
    """Has a folder made that several processes may want at once: the first one makes it, the others wait for it.

    Args:
        folder: Path. Its name.
        stamp: str. The file in it that says that it is there.
        make: function of an empty folder, which it fills.

    Raises:
        InputError: as `folder_written_beside()`.
    """
    with claimed(folder, folder=True, wait=True):
        if not (folder / stamp).is_file():
            with folder_written_beside(folder) as beside:
                make(beside)


class WeightsInMemory(io.BytesIO):
    """A model's `.weights.h5` file in memory: HDF5 can take the process with it where a disk is full, Python does not.

    Args:
        model: keras.Model.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        model.save_weights(self)

    def __str__(self) -> str:  # Keras looks at the ending of the name
        return "memory.weights.h5"

    def write_to(self, path: str | Path) -> None:
        """Writes the file, complete or not at all."""
        with written_beside(path) as beside:
            beside.write_bytes(self.getbuffer())


def remove_leftovers(folder: Path) -> None:
    """Removes what dead processes have left half written anywhere in a folder that this process alone writes into."""
    for leftover in [*folder.rglob(".writing-????????-*"), *folder.rglob(".claim-*")]:
        _remove(leftover)


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


def no_room(error: Exception) -> str | None:
    """Returns what an error says of a full disk, whichever library has met it, or None."""
    return next((text for text in _NO_ROOM if text in str(error)), None)


def _cannot(path: Path, error: OSError) -> str:
    return f"{str(path)!r} cannot be written: {error.strerror or error}."


def _beside(path: Path) -> Path:
    return path.with_name(f".writing-{secrets.token_hex(4)}-{path.name}")


def _claim_file(path: Path) -> Path:
    return path.with_name(f".claim-{path.name}")


def _remove(leftover: Path) -> None:
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)


def _lock(path: Path, wait: bool) -> TextIO | None:
    """Locks the claim's file and says in it who has; None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        file = _claim_file(path).open("a+", encoding="utf-8")
        try:
            _wait_for_lock(file, path, wait)
            if Path(file.name).exists() and os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {platform.node()}")
                file.flush()
                for leftover in path.parent.glob(f".writing-????????-{glob.escape(path.name)}"):
                    _remove(leftover)
                return file
        except OSError as error:
            file.close()
            if error.errno not in _NO_LOCKS:
                raise
            Path(file.name).unlink(missing_ok=True)
            _warn_of_no_locks(path.parent)
            return None
        except BaseException:
            file.close()
            raise
        file.close()  # who held it has removed it at the end of the claim: there is another one, or none


def _wait_for_lock(file: TextIO, path: Path, wait: bool) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read() or "another process"
        if not wait:
            raise InputError(
                f"{str(path)!r} is being written by {holder}: wait for its end, or give another name."
            ) from None
        logger.info("waiting for %s, which writes %s", holder, path)
        fcntl.flock(file, fcntl.LOCK_EX)


@functools.cache
def _warn_of_no_locks(folder: Path) -> None:
    logger.warning("The file system of %r has no locks: nothing keeps two programs from writing there.", str(folder))


def unfinished(folder: str | Path) -> Path:
    """Returns where the work on a folder lies that gets its own name when all of it is there."""
    path = Path(folder)
    return path.with_name(f"{path.name}.unfinished")
