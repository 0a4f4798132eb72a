"""Folders of images whose names say who is shown and which camera saw it."""

import logging
import os
import re
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from reid_tf.datasets.readers.image_file import IMAGE_SUFFIXES
from reid_tf.datasets.record import JUNK, Record
from reid_tf.errors import InputError

SPLIT_FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
Split = tuple[Record, ...]

# What file managers, archives and disks of other systems leave in folders, besides hidden files.
_LEFT_OVER = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"}
_READ_BY_OTHERS = {"landmarks.npz", "keypoints.npz", "crops.json", "release.json"}  # this package's own beside images

_LOG = logging.getLogger(__name__)


def existing_root(root: str | None, name: str) -> Path:
    """Returns the data set's root as a Path, or says what is wrong with it.

    Args:
        root: str, or None. What the user gave as the data set's folder.
        name: str. The data set's name, for the message.

    Raises:
        InputError: no root was given, nothing is there, or it is a file.
    """
    if root is None:
        raise InputError(f"The data set {name!r} needs the folder that holds it: --data ROOT. Received: {root!r}.")
    path = Path(root)
    if path.is_file():
        raise InputError(f"The data set {name!r} needs a folder: {root!r} is a file (an archive must be unpacked).")
    if not path.is_dir():
        raise InputError(f"The folder {root!r} for the data set {name!r} does not exist.")
    return path


def find_root(root: Path, name: str, wanted: Collection[str], inside: Sequence[str] = (), hint: str = "") -> Path:
    """Finds the folder that holds the data set's own folders and files.

    Args:
        root: Path. The folder that the user named.
        name: str. The data set's name, for the message.
        wanted: collection of str. What must be there.
        inside: sequence of str. Folders within `root` to look in too: what the
            published archive unpacks to.
        hint: str. A clause to end the message with.

    Returns:
        Path of `root` or of one of `inside`.

    Raises:
        InputError: none of them holds everything that is wanted; the message lists what
            is there instead.
    """
    candidates = [root, *(root / folder for folder in inside)]
    for candidate in candidates:
        if all((candidate / item).exists() for item in wanted):
            return candidate
    where = " and ".join(repr(str(candidate)) for candidate in candidates)
    missing = [item for item in wanted if not (root / item).exists()]
    raise InputError(
        f"The data set {name!r} needs {', '.join(wanted)}; looked in {where}; missing: {', '.join(missing)}; "
        f"found in {str(root)!r}: {contents(root)}{hint}."
    )


def contents(folder: Path, limit: int = 8) -> str:
    """Returns the names in a folder as text, at most `limit` of them and the number of the others."""
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in os.scandir(folder))
    shown = ", ".join(names[:limit]) or "nothing"
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def image_names(folder: Path, subfolders: bool = False) -> list[str]:
    """Returns the images in a folder, sorted; the log says what else is there, by kind.

    Args:
        folder: Path.
        subfolders: bool. Whether the images in its folders are listed too, as
            `file_names()` does.

    Returns:
        list of str: names from the folder on, with "/" between their parts.

    Raises:
        InputError: a folder cannot be read.
    """
    names, others = [], Counter[str]()
    for name in file_names(folder, subfolders):
        if name.lower().endswith(IMAGE_SUFFIXES):
            names.append(name)
        elif PurePosixPath(name).name not in _READ_BY_OTHERS:
            others["folder" if name.endswith("/") else PurePosixPath(name).suffix.lower() or "without a suffix"] += 1
    if others:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(others.items()))
        _LOG.warning("Passed over in %s, as no images: %s.", folder, kinds)
    return names


def file_names(folder: Path, subfolders: bool = True) -> list[str]:
    """Returns what is in a folder, sorted; what file managers leave and hidden names are passed over.

    Links to folders are followed. Every folder is read once, however many links lead to
    it, so that none leads in a circle.

    Args:
        folder: Path.
        subfolders: bool. Whether the files in its folders are listed, or its folders'
            names, which end in "/".

    Returns:
        list of str: names from the folder on, with "/" between their parts.

    Raises:
        InputError: a folder cannot be read.
    """
    names: list[str] = []
    folders, links, read = deque([""]), deque[str](), set[str]()
    while folders or links:
        inside = folders.popleft() if folders else links.popleft()  # a folder goes by its own name if it has one here
        path = os.path.realpath(os.path.join(folder, inside))
        if path in read:
            continue
        read.add(path)
        try:
            entries = [entry for entry in os.scandir(path) if not _is_left_over(entry.name)]
        except OSError as error:
            raise InputError(
                f"The folder {os.path.join(folder, inside)!r} cannot be read: {error.strerror}."
            ) from error
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.is_dir():
                names.append(inside + entry.name)
            elif not subfolders:
                names.append(f"{entry.name}/")
            else:
                (links if entry.is_symlink() else folders).append(f"{inside}{entry.name}/")
    return sorted(names, key=lambda name: name.split("/"))


def _is_left_over(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LEFT_OVER


def read_folder(folder: Path, pattern: re.Pattern[str], example: str) -> Split:
    """Reads one folder of images, sorted by name; junk (identity -1) is dropped.

    Args:
        folder: Path.
        pattern: compiled regular expression with the groups `identity` and `camera`,
            matched against the whole name. A camera that a name may leave out is 0.
        example: str. A name that matches, for the message.

    Returns:
        tuple of `Record`.

    Raises:
        InputError: an image's name does not match, which would otherwise leave it out
            unnoticed.
    """
    records = []
    wrong = []
    for name in image_names(folder):
        match = pattern.fullmatch(name)
        if match is None:
            wrong.append(name)
        elif int(match["identity"]) != JUNK:
            records.append(Record(os.path.join(folder, name), int(match["identity"]), int(match["camera"] or 0)))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InputError(
            f"Images in {str(folder)!r} must be named like {example!r}. Received: {', '.join(wrong[:3])}{more}."
        )
    return tuple(records)


def read_splits(
    root: Path, pattern: re.Pattern[str], example: str, folders: Mapping[str, str] = SPLIT_FOLDERS
) -> tuple[Split, Split, Split]:
    """Reads the three folders that Market-1501 introduced and most later sets kept.

    Args:
        root: Path. The folder that holds `bounding_box_train`, `query` and
            `bounding_box_test`.
        pattern: as in `read_folder()`.
        example: as in `read_folder()`.
        folders: mapping from "train", "query" and "gallery" to other names of the
            folders.

    Returns:
        train, query and gallery: tuples of `Record`.

    Raises:
        InputError: as `read_folder()`.
    """
    train, query, gallery = (read_folder(root / folders[split], pattern, example) for split in SPLIT_FOLDERS)
    return train, query, gallery
