"""The gallery: what was seen, kept with the encoder's vectors of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.images import Image
from reid_tf.errors import InputError
from reid_tf.gallery.about import About
from reid_tf.gallery.adding import Added, add_in_batches, entry_of
from reid_tf.gallery.entry import FIELDS, Entry
from reid_tf.gallery.filters import Filter, as_text, one_of
from reid_tf.gallery.moments import moment_of
from reid_tf.gallery.searching import Result, search_by_attributes, search_by_vector
from reid_tf.gallery.sighting import KNOWN, Sighting, sightings
from reid_tf.gallery.store import Store
from reid_tf.options import whole_number
from reid_tf.retrieval.attribute_words import wanted_attributes
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.fingerprint import Fingerprint


class Gallery:
    """Images that one encoder has embedded, in a folder or on a Milvus server; no pixels are kept.

    Args:
        uri: str or Path. A folder, made where there is none, or the address of a
            server, "http://host:19530".
        encoder: `Encoder`, or None for what needs none: deleting, counting, exporting.
            A new gallery needs it.
        token: str. "user:password" of a server, or "".
        timeout: float. Seconds that a server may take to answer.

    Raises:
        InputError: the gallery is another encoder's, of a newer version, open
            elsewhere, or cannot be reached; or it is new and there is no encoder.

    Example:
        >>> with Gallery("seen", load_encoder("runs/a")) as gallery:
        ...     gallery.add("crops/", camera="door")
        ...     results = gallery.search("somebody.jpg", k=5, not_camera="door")
    """

    def __init__(self, uri: str | Path, encoder: Encoder | None = None, token: str = "", timeout: float = 30.0) -> None:
        self.encoder = encoder
        self._store = Store(uri, token, timeout)
        try:
            self.about = self._open()
        except BaseException:
            self._store.close()
            raise

    def _open(self) -> About:
        kept, uri = self._store.about, self._store.uri
        if kept is not None:
            about = About.read(kept, uri)
            if self.encoder is not None:
                about.check(uri, self.encoder.fingerprint)
            return about
        if self.encoder is None:
            raise InputError(
                f"A new gallery needs an encoder. Received: {self.encoder} for {uri!r}, where there is none."
            )
        about = About.of(self.encoder)
        self._store.create(about.to_dict(), about.dim, about.metric)
        return about

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return self._store.count()

    @property
    def uri(self) -> str:
        """Where the gallery is."""
        return self._store.uri

    def close(self) -> None:
        """Lets other processes open the gallery."""
        self._store.close()

    def add(self, source: Any, *, batch_size: int = 64, **known: Any) -> Added:
        """Embeds and adds images, or adds vectors; what is there already is passed over.

        An image is known by its content, its camera and its time. After each batch its
        rows are stored, whatever happens later.

        Args:
            source: folder, CSV or .npz file, `Embeddings`, or iterable of `Sighting`,
                paths or arrays, as in `sightings()`.
            batch_size: int >= 1. Images embedded, and rows stored, at once.
            **known: camera, time, track, person, quality, note: of all that does not
                say otherwise.

        Returns:
            `Added`; an image that cannot be read is named there, the others are added.

        Raises:
            InputError: the source is none, a value cannot be kept, vectors are of
                another length or encoder, or the store does not answer.
        """
        added = Added()
        for added in self.add_in_batches(source, batch_size=batch_size, **known):  # noqa: B007
            pass
        return added

    def add_in_batches(self, source: Any, *, batch_size: int = 64, **known: Any) -> Iterator[Added]:
        """Does what `add` does, and yields after each batch what became of all sightings so far."""
        if isinstance(source, str | Path) and Path(source).suffix.lower() == ".npz":
            source = Embeddings.load(source)
        if isinstance(source, Embeddings):
            self.check_encoder(source.encoder, "the vectors")
        found = sightings(source, **known)
        return add_in_batches(self._store, self.about, self.encoder, found, whole_number("batch_size", batch_size))

    def index(self, wait: float = 0.0) -> bool:
        """Has a server index the rows that were added last.

        Until then a server finds them less surely: seven in ten of those that it should
        (20,000 rows of random people). By Milvus's defaults it indexes what fills a
        segment, and the rest after ten minutes in which nothing was added. Many small
        additions should leave it to that. A folder is always exact.

        Args:
            wait: float >= 0. How many seconds to wait for it.

        Returns:
            bool. Whether all rows are indexed now.

        Raises:
            InputError: the store does not answer.
        """
        return self._store.index(wait)

    def search(
        self,
        image: Image | None = None,
        *,
        vector: np.ndarray | None = None,
        person: str | int | None = None,
        attributes: str | Sequence[str] = (),
        k: int = 10,
        rerank: bool = False,
        **filters: Any,
    ) -> list[Result]:
        """Finds the rows that are most like an image, a vector, a person or a description.

        Args:
            image: path or RGB array, or None.
            vector: float [dim], or None.
            person: str, int, or None. Beside an image or vector, whom the results must
                show. Alone, whose rows are searched with, by their mean, and left out
                of the results.
            attributes: str or strs such as "gender=female backpack=yes". What the
                results must show, as the likeliest answers. Alone, the results are
                ranked by the probability that all hold.
            k: int >= 1. Results; fewer where there are fewer.
            rerank: bool. Whether the nearest 200 rows (or 5 k) are re-ranked by
                k-reciprocal neighbours.
            **filters: `camera`, `not_camera`, `since`, `until`, `track`, as in
                `Filter`.

        Returns:
            list of `Result`, best first.

        Raises:
            InputError: nothing or two things are searched with, an image cannot be
                read, a vector is of another length or not finite, a filter does not
                exist, or nobody is called so.
        """
        k, wanted = whole_number("k", k), self._wanted(attributes)
        chosen = Filter.of({**filters, "attributes": wanted})
        expressions = [chosen.expression()]
        if image is not None and vector is not None:
            raise InputError(
                f"A search goes by an image or a vector. Received: both, a vector of shape {np.shape(vector)}."
            )
        if image is not None or vector is not None:
            query = self._query(self._needed([image])([image])[0] if vector is None else vector)
            expressions.append("" if person is None else one_of("person", person))
        elif person is not None:
            query, others = self._of_person(person)
            expressions.append(others)
        elif wanted:
            coding = self._needed(wanted).attributes
            return search_by_attributes(self._store, coding, wanted, k, chosen.expression())  # type: ignore[arg-type]
        else:
            raise InputError(f"A search needs an image, a vector, a person or attributes. Received: {chosen} alone.")
        calibration = self.encoder.calibration if self.encoder else None
        expression = " and ".join(filter(None, expressions))
        return search_by_vector(self._store, self.about, calibration, query, k, expression, rerank)

    def _query(self, vector: np.ndarray) -> np.ndarray:
        query = np.asarray(vector, np.float32)
        if query.shape != (self.about.dim,) or not np.isfinite(query).all():
            raise InputError(
                f"A search needs a finite vector of length {self.about.dim}. Received: shape {list(query.shape)}, "
                f"{query.ravel()[:4]}..."
            )
        return query

    def _of_person(self, person: str | int) -> tuple[np.ndarray, str]:
        """The mean vector of somebody's rows, and the expression of all other rows."""
        expression = one_of("person", person)
        vectors = [row["vector"] for row in self._store.rows(expression, ["id", "vector"])]
        if not vectors:
            raise InputError(f"The gallery {self.uri!r} has nobody of this name. Received: person={person!r}.")
        return np.mean(np.array(vectors, np.float32), axis=0), f"not ({expression})"

    def _wanted(self, attributes: str | Sequence[str]) -> dict[str, str]:
        texts = [attributes] if isinstance(attributes, str) else list(attributes)
        if not texts:
            return {}
        coding = self._needed(texts).attributes
        if coding is None:
            raise InputError(f"The encoder predicts no attributes. Received: attributes={attributes!r}.")
        return wanted_attributes(texts, coding.schema)

    def _needed(self, what: Any) -> Encoder:
        if self.encoder is None:
            raise InputError(
                f"The gallery's encoder is needed for {what}: Gallery(uri, encoder). Received: {self.encoder}."
            )
        return self.encoder

    def get(self, ids: Sequence[str]) -> list[Entry]:
        """Returns the entries of some ids, in their order; without those that there are not."""
        rows = {row["id"]: row for row in self._store.get(list(ids), FIELDS)}
        return [Entry.from_row(rows[key]) for key in ids if key in rows]

    def vector(self, key: str) -> np.ndarray:
        """Returns the vector of one row, float32 [dim].

        Args:
            key: str. The row's id.

        Raises:
            InputError: there is no such row.
        """
        found = self._store.get([key], ["vector"])
        if not found:
            raise InputError(f"The gallery {self.uri!r} has no such row. Received: {key!r}.")
        return np.asarray(found[0]["vector"], np.float32)

    def entries(self, **filters: Any) -> Iterator[Entry]:
        """Yields all entries that a filter (see `Filter`) leaves, in no particular order."""
        return map(Entry.from_row, self.rows(FIELDS, **filters))

    def rows(self, fields: Sequence[str], **filters: Any) -> Iterator[dict[str, Any]]:
        """Yields what the store keeps of all rows that a filter leaves, such as their "vector"."""
        return self._store.rows(Filter.of(filters).expression(), fields)

    def put_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Puts rows in as `rows` gives them; of the same id, the new one stays."""
        self._store.put(rows)

    def check_encoder(self, fingerprint: Fingerprint | None, name: str) -> None:
        """Raises an `InputError` where something is another encoder's than the gallery's vectors."""
        self.about.check(self.uri, fingerprint, name)

    def delete(self, ids: Sequence[str] | None = None, *, everything: bool = False, **filters: Any) -> int:
        """Deletes rows by their ids, or all that a filter leaves: a person's, a camera's, those before a time.

        Args:
            ids: sequence of str, or None.
            everything: bool. Whether it may be all of them.
            **filters: as in `Filter`.

        Returns:
            int. How many were deleted.

        Raises:
            InputError: nothing says which, or no row would be left.
        """
        chosen = Filter.of(filters)
        if ids is None and not chosen.expression() and not everything:
            raise InputError(f"Say which rows to delete, or everything=True. Received: ids={ids} and {chosen}.")
        if ids is None:
            found = [row["id"] for row in self._store.rows(chosen.expression(), ["id"])]
        else:
            found = [row["id"] for row in self._store.get(list(ids), ["id"])]
        if found and len(found) == len(self) and not everything:
            raise InputError(
                f"This would delete all {len(found):,} rows, for which everything=True is needed. Received: "
                f"everything={everything}."
            )
        self._store.delete(found)
        return len(found)

    def label(self, ids: Sequence[str], person: str | int) -> int:
        """Says whom some rows show, "" for nobody known; returns how many of the ids there are."""
        rows, text = self._store.get(list(ids)), as_text(person, "person")
        self._store.put([{**row, "person": text} for row in rows])
        return len(rows)

    def stats(self) -> dict[str, Any]:
        """Counts the rows, those of each camera and the persons, and says from when to when they are.

        Returns:
            dict of JSON values.
        """
        cameras: dict[str, int] = {}
        people, rows, first, last = set(), 0, -1, -1
        for row in self._store.rows("", ["id", "camera", "person", "time"]):
            rows += 1
            cameras[row["camera"]] = cameras.get(row["camera"], 0) + 1
            people.add(row["person"])
            if row["time"] >= 0:
                first, last = row["time"] if first < 0 else min(first, row["time"]), max(last, row["time"])
        times = {name: moment_of(time) for name, time in (("first", first), ("last", last))}
        return {
            "rows": rows,
            "cameras": dict(sorted(cameras.items())),
            "persons": len(people - {""}),
            **{name: moment and moment.isoformat() for name, moment in times.items()},
            **self.about.to_dict(),
        }

    def verify(self) -> dict[str, str]:
        """Compares rows with their image files.

        Returns:
            dict from the path of each file that is missing or has changed to a
            sentence. Rows without a path, or with an object key ("s3://..."), are not
            looked at.
        """
        wrong = {}
        for entry in self.entries():
            if not entry.path or "://" in entry.path:
                continue
            try:
                now = entry_of(Sighting(entry.path, camera=entry.camera, time=entry.time))
            except OSError as error:
                wrong[entry.path] = f"It cannot be read ({error.strerror})."
            else:
                if now.id != entry.id:
                    wrong[entry.path] = "It is not the image that was added, or its vector alone was."
        return wrong

    def reembed(self, encoder: Encoder, uri: str | Path, batch_size: int = 64) -> Added:
        """Makes the gallery of another encoder from the image files of this one.

        Args:
            encoder: `Encoder`.
            uri: str or Path. Of the new gallery.
            batch_size: int >= 1.

        Returns:
            `Added` of the new gallery; rows without a readable file are named there.

        Raises:
            InputError: as `Gallery` and `add()`.
        """

        def again(entry: Entry) -> Sighting:
            return Sighting(entry.path or "", **{name: getattr(entry, name) for name in KNOWN})

        with Gallery(uri, encoder) as other:
            return other.add(map(again, self.entries()), batch_size=batch_size)
