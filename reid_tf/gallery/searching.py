"""Searches of a gallery, and answers that mean something: distance, probability, same person or unknown."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.encoder.images import in_batches
from reid_tf.gallery.about import About
from reid_tf.gallery.entry import FIELDS, Entry
from reid_tf.gallery.store import ROWS_AT_ONCE, Store
from reid_tf.retrieval.attribute_filter import attribute_probabilities
from reid_tf.retrieval.calibration import Calibration
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.ranking import rerank

SHORTLIST = 200  # rows that are re-ranked, or five times as many as are wanted where that is more


@dataclasses.dataclass(frozen=True)
class Result:
    """One row that a search found.

    Args:
        entry: `Entry`.
        distance: float, or None where nothing but attributes was searched with. As the
            encoder's distance measures it.
        probability: float in [0, 1], or None. That both show one person, where the
            encoder is calibrated; of a search by attributes, that all of them hold.
        same: bool, or None where the encoder is not calibrated. Whether the distance
            is within the calibrated threshold; beyond it this is somebody else.
    """

    entry: Entry
    distance: float | None = None
    probability: float | None = None
    same: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as JSON values."""
        answers = {name: getattr(self, name) for name in ("distance", "probability", "same")}
        return {**self.entry.to_dict(), **answers}


def by_person(results: Sequence[Result]) -> list[list[Result]]:
    """Groups the results of each person, in the order of the best of each; one of nobody known stands alone.

    Args:
        results: sequence of `Result`, best first.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        person = result.entry.person
        groups.setdefault((person, "" if person else result.entry.id), []).append(result)
    return list(groups.values())


def search_by_vector(
    store: Store,
    about: About,
    calibration: Calibration | None,
    vector: np.ndarray,
    k: int,
    expression: str,
    reranked: bool,
) -> list[Result]:
    """Finds the k rows nearest to a vector.

    Args:
        store: `Store`.
        about: `About`.
        calibration: `Calibration`, or None.
        vector: float32 [dim].
        k: int.
        expression: str. As `Filter.expression()` gives it.
        reranked: bool. Whether a shortlist is re-ranked by k-reciprocal neighbours.

    Returns:
        list of `Result`, best first.
    """
    (hits,) = store.search(vector[np.newaxis], max(SHORTLIST, 5 * k) if reranked else k, expression)
    if not hits:
        return []
    order = _reranked(about, vector, hits, min(k, len(hits))) if reranked else range(len(hits))
    distances = about.distances([score for score, _ in hits])
    return [_result(calibration, hits[place][1], distances[place]) for place in order]


def search_by_attributes(
    store: Store, coding: AttributeCoding, wanted: Mapping[str, str], k: int, expression: str
) -> list[Result]:
    """Finds the k rows on which all attributes hold most probably; equal ones are sorted by id.

    Args:
        store: `Store`.
        coding: `AttributeCoding`. Of the encoder.
        wanted: mapping from group to answer.
        k: int.
        expression: str. Which rows are looked at, all of them one after the other.

    Returns:
        list of `Result`, best first.
    """
    best: list[tuple[float, dict[str, Any]]] = []
    rows = (row for row in store.rows(expression, [*FIELDS, "outputs"]) if row["outputs"]["values"])
    for _, some in in_batches(rows, ROWS_AT_ONCE):
        outputs = np.array([row["outputs"]["values"] for row in some], np.float32)
        best += zip(attribute_probabilities(coding, outputs, wanted).tolist(), some, strict=True)
        best = sorted(best, key=lambda hit: (-hit[0], hit[1]["id"]))[:k]
    return [Result(Entry.from_row(row), probability=probability) for probability, row in best]


def _reranked(about: About, vector: np.ndarray, hits: Sequence[tuple[float, dict[str, Any]]], k: int) -> list[int]:
    nobody = np.zeros(len(hits), np.int64)
    found = Embeddings(np.array([row["vector"] for _, row in hits], np.float32), nobody, nobody)
    query = Embeddings(vector[np.newaxis], nobody[:1], nobody[:1])
    k1 = min(20, len(hits))
    indices, _ = rerank(query, found, k, k1, min(6, k1), distance=about.distance)
    order: list[int] = indices[0].tolist()
    return order


def _result(calibration: Calibration | None, row: Mapping[str, Any], distance: np.float32) -> Result:
    entry = Entry.from_row(row)
    if calibration is None:
        return Result(entry, float(distance))
    value = np.array([distance])
    return Result(entry, float(distance), float(calibration.probability(value)[0]), bool(calibration.same(value)[0]))
