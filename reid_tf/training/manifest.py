"""What a run was made of: versions, data and code, so that it can be repeated."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.record import ReIDDataset

PACKAGES = ("reid_tf", "tensorflow", "keras", "numpy", "opencv-python", "omegaconf", "pydantic")


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that shape a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def data_hash(dataset: ReIDDataset) -> str:
    """Fingerprints a data set by what its records say and how large their files are.

    Args:
        dataset: `ReIDDataset`.

    Returns:
        str. SHA-256 over split, file name, size in bytes, identity, camera and (where known) landmarks of every record,
        in order.
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


def git_commit() -> str | None:
    """Returns the commit of the checkout that the package lies in, with "+" behind it when files differ; else None."""
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or no checkout: the manifest then says null
        return None
    return commit + ("+" if changed else "")


def summarise(dataset: ReIDDataset) -> dict[str, Any]:
    """Returns the number of images and identities in each split that has any."""
    return {
        split: {"images": len(records), "identities": len({record.identity for record in records})}
        for split, records in dataset.splits().items()
        if records
    }
