"""Published weights files: fetched once, checked, kept where Keras keeps its own."""

import hashlib
import http.client
import importlib.util
import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

from reid_tf.errors import InputError
from reid_tf.files import claimed, user_path, written_beside
from reid_tf.progress import progress_bar

TIMEOUT = 30.0  # seconds without an answer: a firewall that swallows packets should not stop a run for ever
BLOCK = 1 << 20  # bytes
PACKAGE = "package:"  # begins the address of a file within an installed package: package:NAME/path/in/there


class Algorithm(NamedTuple):
    """A way to digest a file.

    Args:
        name: str. In words.
        digits: int. Hexadecimal ones of a whole digest.
    """

    name: str
    digits: int


ALGORITHMS = {"md5": Algorithm("MD5", 32), "sha256": Algorithm("SHA-256", 64)}


def cache_folder() -> Path:
    """Returns the folder of Keras' own downloads, so that both find what either fetched."""
    folder = os.environ.get("KERAS_HOME") or "~/.keras"
    return user_path(folder, "name a folder for downloads with the environment variable KERAS_HOME") / "models"


def download(url: str, checksum: str) -> Path:
    """Fetches a file into the cache, unless it lies there intact.

    Args:
        url: str. Where it is published; the last part is its name in the cache.
        checksum: str. "md5:" or "sha256:" and the published hexadecimal digits: all of
            them or, where no more is published, the first.

    Returns:
        Path of the file in the cache.

    Raises:
        InputError: no network, a refusal, a full disk, or other bytes than the
            published ones.
    """
    target = cache_folder() / url.rsplit("/", 1)[-1]
    if _difference(target, checksum):
        with claimed(target, wait=True):  # of several processes that want it, one fetches it
            if wrong := _difference(target, checksum):
                _replace(target, wrong, url, checksum)
    return target


def find_in_package(address: str, checksum: str) -> Path:
    """Finds a file that a package carries, or that lies in the cache.

    Args:
        address: str. "package:", the name by which Python imports the package, and the
            file's path within, all with "/".
        checksum: str. As `download` takes it.

    Returns:
        Path of the file.

    Raises:
        InputError: the package is not installed, or its file is not the published one.
    """
    package, _, inside = address.removeprefix(PACKAGE).partition("/")
    by_hand = cache_folder() / inside.rsplit("/", 1)[-1]
    if not _difference(by_hand, checksum):
        return by_hand
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"The weights file {by_hand.name!r} comes with the package {package!r}, which is not installed: install "
            f"reid_tf[weights], or put that file into the folder {str(by_hand.parent)!r}, or train from scratch with "
            f"weights: null."
        )
    path = Path(found.submodule_search_locations[0]) / inside
    if wrong := _difference(path, checksum):
        raise InputError(
            f"The weights file {str(path)!r} of the package {package!r} is not the published one: {wrong}."
        )
    return path


def _replace(target: Path, wrong: str, url: str, checksum: str) -> None:
    there = f"; the file that lies there is another: {wrong}" if target.is_file() else ""
    try:
        with written_beside(target) as beside:
            _fetch(url, beside)
            wrong = _difference(beside, checksum)
            if wrong:
                raise InputError(f"The download of {url} is damaged: {wrong}; try again.")
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"The download of {url} failed ({error}): fetch that file elsewhere and put it into the folder "
            f"{str(target.parent)!r} as {target.name!r}{there}, or train from scratch with weights: null."
        ) from None


def _fetch(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response, path.open("wb") as file:
        size = int(response.headers.get("Content-Length", 0)) or None
        with progress_bar(
            what=f"downloading {url.rsplit('/', 1)[-1]},", unit="byte", total=size, unit_scale=True
        ) as progress:
            while block := response.read(BLOCK):
                file.write(block)
                progress.update(len(block))


def _difference(path: Path, checksum: str) -> str:
    """Says how a file's digest differs from the published one; an empty str where it does not."""
    if not path.is_file():
        return "there is none yet"
    algorithm, _, published = checksum.partition(":")
    with path.open("rb") as file:
        received = hashlib.file_digest(file, algorithm).hexdigest()
    if received.startswith(published):
        return ""
    name, digits = ALGORITHMS[algorithm]
    return (
        f"its {name} is {received}, the published one {'is' if len(published) == digits else 'begins with'} {published}"
    )
