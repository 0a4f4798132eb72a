"""The part of the data set doctor that reads and decodes every image."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from reid_tf.datasets.doctor.findings import Finding, counted, named
from reid_tf.datasets.readers.encoded import is_prepared, read_stored
from reid_tf.datasets.readers.image_file import (
    FORMATS,
    JPEG,
    PNG,
    as_jpeg_or_png,
    begins_like_an_image,
    read_header,
    too_large,
)
from reid_tf.datasets.record import ReIDDataset
from reid_tf.errors import InputError
from reid_tf.progress import progress_bar

_BATCH = 64


def check_images(dataset: ReIDDataset) -> Iterator[Finding]:
    """Reads every image of a data set, decodes it as the pipeline does, and compares the files by their content.

    Args:
        dataset: `ReIDDataset`.

    Yields:
        `Finding`: errors that name images that are missing, are not images or have too
        many pixels, a note on those that a decoder turns upright, a warning for copies
        of one file in different splits.
    """
    paths = sorted({record.path for records in dataset.splits().values() for record in records})
    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    problems: dict[str, list[str]] = defaultdict(list)
    digests, lying = {}, []
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress_bar(what="checking", unit="image", total=len(paths)) as progress,
    ):
        for batch, results in zip(batches, pool.map(_examine, batches), strict=True):
            for path, (problem, digest, orientation) in zip(batch, results, strict=True):
                if orientation != 1:
                    lying.append(path)
                if problem:
                    problems[problem].append(path)
                else:
                    digests[path] = digest
            progress.update(len(batch))
    for problem, found in sorted(problems.items()):
        yield Finding("error", f"{counted(len(found), 'image')} {problem}: {named(found)}.")
    if lying:
        yield Finding(
            "note",
            f"{counted(len(lying), 'image')} not stored upright (EXIF's orientation is not 1) and turned when read; "
            f"boxes and landmarks must be those of the upright picture: {named(lying)}.",
        )
    yield from _check_copies(dataset, digests)


def _examine(paths: Sequence[str]) -> list[tuple[str, bytes, int]]:
    """Returns what is wrong with each image ("" for nothing), a digest of its bytes, and its orientation."""
    results = []
    for encoded in _read(paths):
        if isinstance(encoded, str):
            results.append((encoded, b"", 1))
            continue
        header = read_header(encoded)
        digest = hashlib.blake2b(encoded, digest_size=16).digest()
        results.append((too_large(header) or _damage(encoded), digest, header.orientation if header else 1))
    return results


def _damage(encoded: bytes) -> str:
    import tensorflow as tf  # the decoder that training uses: another one reads files that this one refuses

    image = as_jpeg_or_png(encoded)
    try:
        if image.startswith((JPEG, PNG)):
            tf.io.decode_image(image, channels=3)
            return ""
    except tf.errors.InvalidArgumentError:
        return _kind(encoded)
    return _kind(encoded)


def _read(paths: Sequence[str]) -> list[bytes | str]:
    """Returns each image's bytes, or what keeps them from being read."""
    try:
        return list(read_stored(paths))
    except InputError:
        if len(paths) > 1:  # find out which
            return [result for path in paths for result in _read([path])]
    return ["missing" if not is_prepared(paths[0]) and not os.path.exists(paths[0]) else "unreadable"]


def _kind(encoded: bytes) -> str:
    """Returns what bytes are that do not decode."""
    if not encoded:
        return "empty (0 bytes)"
    if begins_like_an_image(encoded):
        return "cut off or damaged"
    return f"not an image file ({', '.join(FORMATS)})"


def _check_copies(dataset: ReIDDataset, digests: dict[str, bytes]) -> Iterator[Finding]:
    first: dict[bytes, tuple[str, str]] = {}
    copies = []
    for split in ("train", "query", "gallery"):
        for record in dataset.splits()[split]:
            digest = digests.get(record.path)
            if digest is None:
                continue
            other, where = first.setdefault(digest, (record.path, split))
            if where != split and other != record.path:
                copies.append(f"{record.path} = {other}")
    if copies:
        yield Finding(
            "warning", f"{counted(len(copies), 'image')} with the same bytes in another split: {named(copies)}."
        )
