"""The part of the data set doctor that reads and decodes every image."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from reid_tf.datasets.doctor.findings import Finding, counted, named
from reid_tf.datasets.readers.encoded import is_prepared, read_encoded
from reid_tf.datasets.record import ReIDDataset
from reid_tf.errors import InputError
from reid_tf.progress import progress_bar

_BATCH = 64


def check_images(dataset: ReIDDataset) -> Iterator[Finding]:
    """Reads every image of a data set, decodes it as the pipeline does, and compares the files by their content.

    Args:
        dataset: `ReIDDataset`.

    Yields:
        `Finding`: errors that name images that are missing or are not images, a warning
        for copies of one file in different splits.
    """
    paths = sorted({record.path for records in dataset.splits().values() for record in records})
    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    problems: dict[str, list[str]] = defaultdict(list)
    digests = {}
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress_bar(what="checking", unit="image", total=len(paths)) as progress,
    ):
        for batch, results in zip(batches, pool.map(_examine, batches), strict=True):
            for path, (problem, digest) in zip(batch, results, strict=True):
                if problem:
                    problems[problem].append(path)
                else:
                    digests[path] = digest
            progress.update(len(batch))
    for problem, found in sorted(problems.items()):
        yield Finding("error", f"{counted(len(found), 'image')} {problem}: {named(found)}.")
    yield from _check_copies(dataset, digests)


def _examine(paths: Sequence[str]) -> list[tuple[str, bytes]]:
    """Returns what is wrong with each image ("" for nothing), and a digest of its bytes."""
    import tensorflow as tf  # the decoder that training uses: another one reads files that this one refuses

    results = []
    for encoded in _read(paths):
        if isinstance(encoded, str):
            results.append((encoded, b""))
            continue
        problem = ""
        try:
            tf.io.decode_image(encoded, channels=3, expand_animations=False)
        except tf.errors.InvalidArgumentError:
            problem = _kind(encoded)
        results.append((problem, hashlib.blake2b(encoded, digest_size=16).digest()))
    return results


def _read(paths: Sequence[str]) -> list[bytes | str]:
    """Returns each image's bytes, or what keeps them from being read."""
    try:
        return list(read_encoded(paths))
    except InputError:
        if len(paths) > 1:  # find out which
            return [result for path in paths for result in _read([path])]
    return ["missing" if not is_prepared(paths[0]) and not os.path.exists(paths[0]) else "unreadable"]


def _kind(encoded: bytes) -> str:
    """Returns what bytes are that do not decode."""
    if not encoded:
        return "empty (0 bytes)"
    if encoded.startswith((b"\xff\xd8", b"\x89PNG", b"BM", b"GIF8")):
        return "cut off or damaged"
    return "not an image file (JPEG, PNG, BMP or GIF)"


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
