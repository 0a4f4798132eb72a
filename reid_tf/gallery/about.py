"""What a gallery says of itself: its version, its encoder, and how its vectors are compared."""

import dataclasses
from typing import Any

import numpy as np

from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.retrieval.fingerprint import Fingerprint, check_same_encoder
from reid_tf.schema import of_fields

VERSION = 1


@dataclasses.dataclass(frozen=True)
class About:
    """The contract of a gallery's vectors.

    Args:
        version: int. Of the form of its rows.
        dim: int. Length of the vectors.
        distance: str. The encoder's: "cosine", "euclidean" or "mean_squared".
        encoder: `Fingerprint`, or None for an encoder that has none.
    """

    version: int
    dim: int
    distance: str
    encoder: Fingerprint | None = None

    @classmethod
    def of(cls, encoder: Encoder) -> "About":
        """Returns what a new gallery of an encoder says of itself."""
        return cls(VERSION, encoder.dim, encoder.distance, encoder.fingerprint)

    @classmethod
    def read(cls, values: dict[str, Any], uri: str) -> "About":
        """Reads what `to_dict` gave.

        Raises:
            InputError: it is of a newer version, or something else.
        """
        version = values.get("version")
        if isinstance(version, int) and version > VERSION:
            raise InputError(
                f"The gallery {uri!r} is of version {version}; this package reads versions up to {VERSION}."
            )
        return of_fields(cls, values, f"The gallery {uri!r}")

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {**dataclasses.asdict(self), "encoder": self.encoder and self.encoder.to_dict()}

    def check(self, uri: str, fingerprint: Fingerprint | None, name: str = "the encoder") -> None:
        """Raises an `InputError` with both fingerprints where vectors are another encoder's."""
        check_same_encoder(f"The gallery {uri!r}", self.encoder, name, fingerprint)

    @property
    def metric(self) -> str:
        """How the store compares: by the cosine, or by the squared Euclidean distance."""
        return "COSINE" if self.distance == "cosine" else "L2"

    def distances(self, scores: Any) -> np.ndarray:
        """Returns the encoder's distances, float32, from what the store measures."""
        values = np.array(scores, np.float32)
        if self.distance == "cosine":
            return np.maximum(1 - values, 0)
        squared = np.maximum(values, 0)
        return np.sqrt(squared) if self.distance == "euclidean" else squared / self.dim
