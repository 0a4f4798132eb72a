"""Sightings become rows: identified by their content, embedded, and put into the store."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.images import Image, in_batches, load_sound
from reid_tf.errors import InputError
from reid_tf.gallery.about import About
from reid_tf.gallery.entry import Entry
from reid_tf.gallery.filters import as_text
from reid_tf.gallery.moments import milliseconds, moment_of
from reid_tf.gallery.sighting import Sighting
from reid_tf.gallery.store import Store


@dataclasses.dataclass(frozen=True)
class Added:
    """What became of the sightings that were to be added.

    Args:
        added: int. New rows.
        known: int. Sightings of which the gallery had the row already.
        refused: mapping from the image's name, or its number from 0, to a sentence.
    """

    added: int = 0
    known: int = 0
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __add__(self, other: "Added") -> "Added":
        return Added(self.added + other.added, self.known + other.known, {**self.refused, **other.refused})


@dataclasses.dataclass(frozen=True, eq=False)
class _Candidate:
    name: str  # in what is refused
    sighting: Sighting
    entry: Entry


def add_in_batches(
    store: Store, about: About, encoder: Encoder | None, found: Iterable[Sighting], batch_size: int
) -> Iterator[Added]:
    """Adds sightings, and yields after each batch, when it is stored, what became of all so far.

    Args:
        store: `Store`.
        about: `About`.
        encoder: `Encoder`, or None where there are vectors alone.
        found: iterable of `Sighting`.
        batch_size: int.

    Raises:
        InputError: a value cannot be kept, an image needs the encoder that is not
            there, or a vector is of another length.
    """
    total = Added()
    for first, batch in in_batches(found, batch_size):
        candidates, refused = _candidates(first, batch)
        there = {row["id"] for row in store.get(list(candidates), ["id"])}
        fresh = [candidate for key, candidate in candidates.items() if key not in there]
        rows, reasons = _rows(about, encoder, fresh)
        store.put(rows)
        refused |= reasons
        total += Added(len(rows), len(batch) - len(rows) - len(refused), refused)
        yield total


def _candidates(first: int, batch: Sequence[Sighting]) -> tuple[dict[str, _Candidate], dict[str, str]]:
    """The sightings by their ids, and those whose files cannot be read."""
    candidates, refused = {}, {}
    for number, sighting in enumerate(batch, first):
        entry = None
        try:
            entry = entry_of(sighting)
        except OSError as error:
            refused[str(sighting.image)] = f"It cannot be read ({error.strerror})."
        if entry is not None:
            candidates[entry.id] = _Candidate(entry.path or str(number), sighting, entry)
    return candidates, refused


def entry_of(sighting: Sighting) -> Entry:
    """Returns the entry of a sighting; its id is made of the image's content, the camera and the time.

    Args:
        sighting: `Sighting`.

    Raises:
        InputError: a value cannot be kept.
        OSError: the image's file cannot be read.
    """
    path = as_text(sighting.path or (str(sighting.image) if isinstance(sighting.image, str | Path) else ""), "path")
    camera = as_text(sighting.camera, "camera")
    time = None if sighting.time is None else milliseconds(sighting.time)
    quality = sighting.quality
    if quality is not None and not 0 <= quality <= 1:
        raise InputError(f"A quality must be between 0 and 1. Received: {quality} of {path!r}.")
    digest = hashlib.sha256(f"{camera}\0{time}\0".encode())
    for part in _content(sighting, path):
        digest.update(part)
    return Entry(
        id=digest.hexdigest()[:32],
        path=path,
        camera=camera,
        time=None if time is None else moment_of(time),
        track=as_text(sighting.track, "track"),
        person=as_text(sighting.person, "person"),
        quality=quality,
        note=as_text(sighting.note, "note"),
    )


def _content(sighting: Sighting, path: str) -> tuple[bytes, ...]:
    if sighting.vector is not None:
        return path.encode(), np.asarray(sighting.vector, np.float32).tobytes()
    if isinstance(sighting.image, np.ndarray):
        return str(sighting.image.shape).encode(), sighting.image.tobytes()
    return (Path(str(sighting.image)).read_bytes(),)


def _rows(
    about: About, encoder: Encoder | None, fresh: Sequence[_Candidate]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rows of what can be added, and what is wrong with the rest, by its name."""
    vectors = np.zeros((len(fresh), about.dim), np.float32)
    outputs: list[list[float]] = [[] for _ in fresh]
    refused: dict[int, str] = {}
    files: list[int] = []
    arrays: list[int] = []
    for place, candidate in enumerate(fresh):
        vector = candidate.sighting.vector
        if vector is None:
            (arrays if isinstance(candidate.sighting.image, np.ndarray) else files).append(place)
            continue
        if np.shape(vector) != (about.dim,):
            raise InputError(
                f"The gallery holds vectors of length {about.dim}. Received: shape {list(np.shape(vector))}."
            )
        vectors[place] = vector
    for places in filter(None, (files, arrays)):
        if encoder is None:
            raise InputError(
                f"Images are embedded by the gallery's encoder: Gallery(uri, encoder). Received: {encoder}."
            )
        refused |= _embed(encoder, fresh, places, vectors, outputs)
    for place in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist():
        refused[place] = f"Its vector is not finite: {vectors[place, :4]}..."
    if about.distance == "cosine":
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        for place in np.flatnonzero(lengths == 0).tolist():
            refused.setdefault(place, "Its vector is zero, which has no direction.")
        vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    rows = [
        _row(encoder, candidate.entry, vectors[place], outputs[place])
        for place, candidate in enumerate(fresh)
        if place not in refused
    ]
    return rows, {fresh[place].name: reason for place, reason in refused.items()}


def _embed(
    encoder: Encoder,
    fresh: Sequence[_Candidate],
    places: Sequence[int],
    vectors: np.ndarray,
    outputs: list[list[float]],
) -> dict[int, str]:
    """Writes vectors and attribute outputs of images, files or arrays; returns what is wrong with some, by place."""
    images = [cast(Image, fresh[place].sighting.image) for place in places]
    pixels, refused = load_sound(images, encoder.image_size, 0)
    sound = [number for number in range(len(images)) if number not in refused]
    names = ("embedding",) if encoder.attributes is None else ("embedding", "attributes")
    # An encoder that looks for landmarks looks at the image as it is.
    shown: Any = [images[number] for number in sound] if encoder.needs_landmarks else pixels
    if sound:
        found = encoder.outputs(shown, names, batch_size=len(sound))
        for row, number in enumerate(sound):
            vectors[places[number]] = found["embedding"][row]
            if "attributes" in found:
                outputs[places[number]] = found["attributes"][row].tolist()
    return {places[number]: reason for number, reason in refused.items()}


def _row(encoder: Encoder | None, entry: Entry, vector: np.ndarray, outputs: list[float]) -> dict[str, Any]:
    coding = encoder.attributes if encoder and outputs else None
    if coding is not None:
        answers = coding.answers(np.array([outputs], np.float32))[0]
        groups = zip(coding.schema.groups, answers, strict=True)
        entry = dataclasses.replace(entry, attributes={group.name: group.classes[answer] for group, answer in groups})
    return {**entry.to_row(), "vector": vector.tolist(), "outputs": {"values": outputs}}
