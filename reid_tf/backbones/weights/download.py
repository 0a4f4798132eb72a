"""Published weights files: fetched once, checked, kept where Keras keeps its own."""

import hashlib
import http.client
import os
import urllib.request
from pathlib import Path

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.progress import progress_bar

TIMEOUT = 30.0  # seconds without an answer: a firewall that swallows packets should not stop a run for ever
BLOCK = 1 << 20  # bytes


def cache_folder() -> Path:
    """Returns the folder of Keras' own downloads, so that both find what either fetched."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser() / "models"


def download(url: str, md5: str) -> Path:
    """Fetches a file into the cache, unless it lies there intact.

    Args:
        url: str. Where it is published; the last part is its name in the cache.
        md5: str. The published checksum, 32 hexadecimal digits.

    Returns:
        Path of the file in the cache.

    Raises:
        InputError: no network, a refusal, a full disk, or other bytes than the
            published ones.
    """
    target = cache_folder() / url.rsplit("/", 1)[-1]
    if target.is_file() and _md5(target) == md5:
        return target
    try:
        with written_beside(target) as beside:
            _fetch(url, beside)
            received = _md5(beside)
            if received != md5:
                raise InputError(
                    f"The download of {url} is damaged: its MD5 is {received}, the published one is {md5}; try again."
                )
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"The download of {url} failed ({error}): train from scratch with weights: null, or fetch the file "
            f"elsewhere and give its path as weights."
        ) from None
    return target


def _fetch(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response, path.open("wb") as file:
        size = int(response.headers.get("Content-Length", 0)) or None
        with progress_bar(
            what=f"downloading {url.rsplit('/', 1)[-1]},", unit="byte", total=size, unit_scale=True
        ) as progress:
            while block := response.read(BLOCK):
                file.write(block)
                progress.update(len(block))


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
