"""Descriptors of images with what an evaluation needs to know of each."""

import dataclasses
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.readers.npz import UNREADABLE, check_texts
from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.retrieval.fingerprint import Fingerprint, check_same_encoder
from reid_tf.schema import of_fields, parse_json

ARRAYS = ("vectors", "identities", "cameras", "paths")
_ROWS_AT_ONCE = 8192  # a temporary of the size of all vectors would double the memory of a large gallery

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Embeddings:
    """One descriptor per image, in the order of the images.

    Lists and arrays of other number types are converted; two instances are equal only
    when they are the same object.

    Args:
        vectors: float32 [N, D]. The descriptors; every value finite.
        identities: int64 [N]. Whom each image shows.
        cameras: int64 [N]. Which camera took it.
        paths: tuple of N str, or () where the images have no files.
        encoder: `Fingerprint` of the encoder that made the vectors, or None where they
            are from elsewhere. What ranks, pools or joins embeddings refuses two of
            them.

    Raises:
        InputError: an array has the wrong number of dimensions, rows or kind of number,
            or a value is not finite.
    """

    vectors: np.ndarray
    identities: np.ndarray
    cameras: np.ndarray
    paths: tuple[str, ...] = ()
    encoder: Fingerprint | None = None

    def __post_init__(self) -> None:
        vectors = _as_vectors(self.vectors)
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "identities", _as_integers("identities", self.identities, len(vectors)))
        object.__setattr__(self, "cameras", _as_integers("cameras", self.cameras, len(vectors)))
        object.__setattr__(self, "paths", tuple(str(path) for path in self.paths))
        if self.paths and len(self.paths) != len(vectors):
            raise InputError(
                f"Embeddings need one path per row of vectors, or none at all. Received: {len(self.paths)} paths for "
                f"{len(vectors)} rows."
            )

    def __repr__(self) -> str:
        people = len(np.unique(self.identities))
        return f"Embeddings of {len(self):,} images of {people:,} people, {self.vectors.shape[1]} dimensions"

    def __len__(self) -> int:
        return len(self.vectors)

    def select(self, rows: np.ndarray) -> "Embeddings":
        """Returns the embeddings of some rows.

        Args:
            rows: bool [N], or int [M]. A mask, or indices in the order wanted.

        Returns:
            `Embeddings` of those rows.
        """
        paths = tuple(np.array(self.paths, object)[rows]) if self.paths else ()
        return Embeddings(self.vectors[rows], self.identities[rows], self.cameras[rows], paths, self.encoder)

    @classmethod
    def concatenate(cls, parts: "Sequence[Embeddings]") -> "Embeddings":
        """Joins the embeddings of several sets of images, in their order.

        Args:
            parts: sequence of at least one `Embeddings`, of equally many dimensions.

        Returns:
            `Embeddings` of all; with paths where each part that is not empty has them.

        Raises:
            InputError: there is no part, or two are of different encoders or
                dimensions.
        """
        widths = {part.vectors.shape[1] for part in parts}
        if len(widths) != 1:
            raise InputError(f"Embeddings to join need one number of dimensions. Received: {sorted(widths)}.")
        for number, part in enumerate(parts):
            check_same_encoder("The embeddings of part 0", parts[0].encoder, f"those of part {number}", part.encoder)
        have_paths = all(part.paths or not len(part) for part in parts)
        paths = tuple(path for part in parts for path in part.paths) if have_paths else ()
        vectors, identities, cameras = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("vectors", "identities", "cameras")
        )
        encoder = next((part.encoder for part in parts if part.encoder), None)
        return cls(vectors, identities, cameras, paths, encoder)

    def save(self, path: str | Path) -> None:
        """Writes one NumPy archive (.npz) with the arrays `vectors`, `identities`, `cameras` and `paths`.

        Where the encoder is known, its fingerprint is there too, as JSON (`encoder`).

        Args:
            path: str or Path. The file; it is complete or absent at this name. Its
                folder is made when missing.
        """
        arrays = {
            "vectors": self.vectors,
            "identities": self.identities,
            "cameras": self.cameras,
            "paths": np.array(self.paths, np.str_),
        }
        if self.encoder is not None:
            arrays["encoder"] = np.array(json.dumps(self.encoder.to_dict()))
        with written_beside(path) as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Embeddings":
        """Reads what `save()` wrote; a warning says where a file does not know its encoder.

        Args:
            path: str or Path. The .npz file.

        Returns:
            `Embeddings`.

        Raises:
            InputError: there is no such file, or it is not an archive of embeddings.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"There is no file of embeddings at {str(path)!r}.")
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in ARRAYS}
                encoder = parse_json(archive["encoder"].item()) if "encoder" in archive else None
        except KeyError as error:
            raise InputError(
                f"{str(path)!r} is not a file of embeddings: {error.args[0]}. It needs: {', '.join(ARRAYS)}."
            ) from None
        # np.load returns a bare array for a .npy file (no context manager), and refuses pickles and foreign files.
        except (TypeError, AttributeError, *UNREADABLE) as error:
            raise InputError(
                f"{str(path)!r} is not a file of embeddings (an .npz archive with {', '.join(ARRAYS)}): {error}."
            ) from None
        if encoder is None:
            _LOG.warning("%s does not say which encoder made its vectors; they are taken for the right one's.", path)
        else:
            encoder = of_fields(Fingerprint, encoder, f"{str(path)!r}, 'encoder'")
        paths = tuple(check_texts(path, "paths", arrays["paths"]))
        return cls(arrays["vectors"], arrays["identities"], arrays["cameras"], paths, encoder)


def check_sides(query: Embeddings, gallery: Embeddings) -> None:
    """Raises an `InputError` where queries and gallery are of different encoders."""
    check_same_encoder("The queries", query.encoder, "the gallery", gallery.encoder)


def row_blocks(count: int, size: int = _ROWS_AT_ONCE) -> Iterator[slice]:
    """Yields the slices that cut `count` rows into pieces of at most `size`."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _as_vectors(values: np.ndarray) -> np.ndarray:
    vectors = np.asarray(values)
    if vectors.ndim != 2 or vectors.shape[1] == 0 or vectors.dtype.kind not in "fiu":
        raise InputError(
            f"Embeddings need numeric vectors of shape [images, dimensions]. Received: shape {vectors.shape}, "
            f"{vectors.dtype}."
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is reported below
        vectors = np.ascontiguousarray(vectors, np.float32)
    finite = np.empty(len(vectors), bool)
    for rows in row_blocks(len(vectors)):
        finite[rows] = np.isfinite(vectors[rows]).all(axis=1)
    bad = np.flatnonzero(~finite)
    if len(bad):
        raise InputError(
            f"Embeddings must be finite. Received: NaN or infinity in {len(bad)} of {len(vectors)} rows, first in row "
            f"{int(bad[0])}."
        )
    return vectors


def _as_integers(name: str, values: np.ndarray, count: int) -> np.ndarray:
    integers = np.asarray(values)
    if integers.shape != (count,) or (count and integers.dtype.kind not in "iu"):
        raise InputError(
            f"Embeddings need one whole number per row of vectors as {name}, shape [{count}]. Received: shape "
            f"{integers.shape}, {integers.dtype}."
        )
    if integers.dtype == np.uint64 and count and integers.max() >= 2**63:
        raise InputError(f"Embeddings need {name} of at most 63 bits and a sign. Received: {integers.max()}.")
    return np.ascontiguousarray(integers, np.int64)
