"""Open-set identification: some who are searched for are not in the gallery, and are not to be found there."""

import dataclasses
from typing import Any

import numpy as np

from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import JUNK_IDENTITY
from reid_tf.retrieval.pairs import same_identity_pairs
from reid_tf.retrieval.protocols import ignored_pairs
from reid_tf.retrieval.reranking import Reranking, blocks_between

RATES = (0.1, 0.01, 0.001)


@dataclasses.dataclass(frozen=True, eq=False)
class OpenSetMetrics:
    """What the nearest gallery image of each query says, at every threshold on its distance.

    A query's person is taken for that of the nearest image where its distance is at
    most the threshold, and for unknown beyond it.

    Args:
        right: float32 [R], ascending. Distances of the nearest images that show the
            query's person.
        known_queries: int >= R. Queries of people in the gallery.
        unknown: float32 [U], ascending. Distances of the nearest images of queries of
            people who are not there.
        skipped_queries: int. Queries whose person is in the gallery only in images that
            the protocol ignores; they enter no figure.
    """

    right: np.ndarray
    known_queries: int
    unknown: np.ndarray
    skipped_queries: int = 0

    def accepted(self, rate: float) -> int:
        """Returns how many unknown queries a false-alarm rate allows to be taken for somebody."""
        return int(np.floor(rate * len(self.unknown) + 1e-9))  # 0.1 of 10 is 1, whatever rounding says

    def resolves(self, rate: float) -> bool:
        """Returns whether there are enough unknown queries for a false-alarm rate: it allows at least one."""
        return self.accepted(rate) >= 1

    def threshold(self, rate: float) -> float:
        """Returns the largest threshold of which a false-alarm rate allows, minus infinity where there is none.

        It lies just below the distance of the first unknown query that must not be
        accepted.

        Args:
            rate: float in (0, 1).
        """
        allowed = self.accepted(rate)
        if allowed >= len(self.unknown):
            return float("inf")
        return float(np.nextafter(self.unknown[allowed], np.float32(-np.inf)))

    def detection_rate(self, threshold: float) -> float:
        """Returns the share of known queries whose nearest image is right and not beyond a threshold."""
        return float(np.searchsorted(self.right, np.float32(threshold), side="right") / self.known_queries)

    def false_alarms(self, threshold: float) -> int:
        """Returns how many unknown queries are taken for somebody at a threshold."""
        return int(np.searchsorted(self.unknown, np.float32(threshold), side="right"))

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts of queries and the detection rates at `RATES`, None where the queries are too few."""
        return {
            "known_queries": self.known_queries,
            "unknown_queries": len(self.unknown),
            "skipped_queries": self.skipped_queries,
            "detection_rates": {
                f"{rate:g}": self.detection_rate(self.threshold(rate)) if self.resolves(rate) else None
                for rate in RATES
            },
        }


def evaluate_open_set(
    query: Embeddings,
    gallery: Embeddings,
    distance: str = "cosine",
    protocol: str = "market1501",
    reranking: Reranking | None = None,
) -> OpenSetMetrics:
    """Measures how well known people are found at thresholds that few unknown people pass.

    A query of the identity -1, or of one that the gallery does not hold, shows somebody
    unknown. A gallery image of the identity -1 is junk, an image of nobody in
    particular, and does not count: what is unknown is searched for, what is junk is not
    to be found.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        distance: str. As in `distance_blocks`.
        protocol: str. As in `ignored_pairs`.
        reranking: `Reranking`, or None for the plain distance.

    Returns:
        `OpenSetMetrics`.

    Raises:
        InputError: there is no unknown or no known query, the gallery is junk alone, or
            the embeddings are not fit for one another.

    References:
        Phillips, Grother and Micheals, Evaluation Methods in Face Recognition, Handbook
        of Face Recognition 2011 (detection and identification rate).
    """
    gallery = gallery.select(gallery.identities != JUNK_IDENTITY)
    pairs = same_identity_pairs(query, gallery)
    ignored = ignored_pairs(query, gallery, pairs, protocol)
    matches = np.bincount(pairs.queries[~ignored], minlength=len(query))
    unknown = ~np.isin(query.identities, gallery.identities)
    known = matches > 0
    if not unknown.any() or not known.any():
        raise InputError(
            "An open-set evaluation needs queries of people in the gallery and of others. Received: "
            f"{np.count_nonzero(known)} of known and {np.count_nonzero(unknown)} of unknown people."
        )
    nearest = np.empty(len(query), np.int64)
    distances = np.empty(len(query), np.float32)
    for rows, block in blocks_between(query, gallery, distance, reranking):
        here = slice(*pairs.begins[[rows.start, rows.stop]])
        chosen = ignored[here]
        block[pairs.queries[here][chosen] - rows.start, pairs.entries[here][chosen]] = np.inf
        nearest[rows] = block.argmin(axis=1)
        distances[rows] = block.min(axis=1)
    right = known & (gallery.identities[nearest] == query.identities)
    return OpenSetMetrics(
        right=np.sort(distances[right]),
        known_queries=int(np.count_nonzero(known)),
        unknown=np.sort(distances[unknown]),
        skipped_queries=int(np.count_nonzero(~known & ~unknown)),
    )


def without_people(query: Embeddings, gallery: Embeddings, share: float, seed: int = 0) -> Embeddings:
    """Takes some of those who are searched for out of a gallery, so that their queries are of unknown people.

    Args:
        query: `Embeddings`.
        gallery: `Embeddings`.
        share: float in [0, 1). Of the query's people who are in the gallery; 0 leaves
            all.
        seed: int >= 0. Who it is.

    Returns:
        `Embeddings` of the gallery that is left.

    Raises:
        InputError: the share is outside its range.
    """
    if not 0 <= share < 1:
        raise InputError(f"The share of people taken out of the gallery must be in [0, 1). Received: {share}.")
    people = np.setdiff1d(np.intersect1d(query.identities, gallery.identities), [JUNK_IDENTITY])
    taken = np.random.default_rng(seed).choice(people, round(share * len(people)), replace=False)
    return gallery.select(~np.isin(gallery.identities, taken))
