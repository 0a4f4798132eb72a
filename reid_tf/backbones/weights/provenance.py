"""What a converted weights file says of itself: whose weights they are and what they are for."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import h5py

from reid_tf.errors import InputError

ATTRIBUTE = "reid_tf_{}"  # attributes of the HDF5 file, which Keras passes over
FIELDS = ("backbone", "source", "options")
FINGERPRINT = "fingerprint"  # files of 0.1.0 have none


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where weights come from and with what their function is the one that they were trained for.

    Args:
        backbone: str. The registered backbone that they are for.
        source: str. Whose they were, in words.
        options: mapping. Options of the backbone that do not show in the weights'
            shapes, with their values.
        fingerprint: str. Digest of what they were made of, file and table; empty where
            nobody compares it.
    """

    backbone: str
    source: str
    options: Mapping[str, Any]
    fingerprint: str = ""


def write_provenance(weights: str | Path | BinaryIO, provenance: Provenance) -> None:
    """Writes it into a `.weights.h5` file that is there already, or in memory."""
    values = (provenance.backbone, provenance.source, json.dumps(dict(provenance.options)), provenance.fingerprint)
    with h5py.File(weights, "r+") as file:
        for name, value in zip((*FIELDS, FINGERPRINT), values, strict=True):
            file.attrs[ATTRIBUTE.format(name)] = value


def read_provenance(path: str | Path) -> Provenance | None:
    """Reads what `write_provenance` wrote.

    Args:
        path: str or Path. A `.weights.h5` file.

    Returns:
        `Provenance`, or None for a file that says nothing, as those of `save_weights`.

    Raises:
        InputError: something is missing or wrong.
    """
    try:
        with h5py.File(path, "r") as file:
            held = {name: file.attrs[ATTRIBUTE.format(name)] for name in FIELDS if ATTRIBUTE.format(name) in file.attrs}
            fingerprint = file.attrs.get(ATTRIBUTE.format(FINGERPRINT), "")
        if not held:
            return None
        return Provenance(held["backbone"], held["source"], dict(json.loads(held["options"])), fingerprint)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"The weights file {str(path)!r} describes itself wrongly ({type(error).__name__}: {error})."
        ) from None
