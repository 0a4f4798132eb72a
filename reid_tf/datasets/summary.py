"""A data set in a few numbers: what it holds, and a fingerprint that says whether it is the same."""

import hashlib
import os
from typing import Any

import numpy as np

from reid_tf.datasets.record import ReIDDataset, count_people


def summarise(dataset: ReIDDataset) -> dict[str, Any]:
    """Returns the number of images and identities in each split that has any."""
    return {
        split: {"images": len(records), "identities": count_people(records)}
        for split, records in dataset.splits().items()
        if records
    }


def data_hash(dataset: ReIDDataset) -> str:
    """Fingerprints a data set by what its records say and how large their files are.

    Args:
        dataset: `ReIDDataset`.

    Returns:
        str. SHA-256 over split, file name, size in bytes, identity, camera and (where
        known) landmarks of every record, in order.
    """
    digest = hashlib.sha256()
    for split, records in dataset.splits().items():
        for record in records:
            size = os.path.getsize(record.path) if os.path.exists(record.path) else -1
            line = f"{split} {os.path.basename(record.path)} {size} {record.identity} {record.camera}\n"
            digest.update(line.encode())
            if record.landmarks is not None:
                digest.update(np.asarray(record.landmarks, np.float32).tobytes())
    return digest.hexdigest()
