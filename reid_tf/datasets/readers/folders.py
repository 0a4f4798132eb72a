"""Folders of images whose names say who is shown and which camera saw it."""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from reid_tf.datasets.record import JUNK, Record
from reid_tf.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
SPLIT_FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
Split = tuple[Record, ...]


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


def image_names(folder: Path) -> list[str]:
    """Returns the names of the image files in a folder, sorted; other and hidden files are passed over."""
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".")
    )


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


def read_splits(root: Path, pattern: re.Pattern[str], example: str) -> tuple[Split, Split, Split]:
    """Reads the three folders that Market-1501 introduced and most later sets kept.

    Args:
        root: Path. The folder that holds `bounding_box_train`, `query` and
            `bounding_box_test`.
        pattern: as in `read_folder()`.
        example: as in `read_folder()`.

    Returns:
        train, query and gallery: tuples of `Record`.

    Raises:
        InputError: as `read_folder()`.
    """
    train, query, gallery = (read_folder(root / folder, pattern, example) for folder in SPLIT_FOLDERS.values())
    return train, query, gallery
