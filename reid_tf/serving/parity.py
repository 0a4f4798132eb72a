"""Whether an exported encoder does what the encoder of the run does, on real images of the run's own evaluation set."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.retrieval.metrics import evaluate

EmbedRecords = Callable[[Sequence[Record]], np.ndarray]

# Rounding of float32 in another order of additions gives 1e-6; half precision is computed in float32 by some formats,
# and its own rounding is the difference: 2^-11 or 2^-8 per layer, several times that after all of them.
_DIFFERENCES = {"float32": 1e-3, "mixed_float16": 1e-2, "mixed_bfloat16": 1e-1}


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """How far an export may be from its run.

    Args:
        difference: float, or None for any. The most that the embedding of one image may
            differ, as a share of the mean length of the run's embeddings.
        points: float. The most points of mAP that may be lost.
    """

    difference: float | None
    points: float


def default_tolerance(kind: str, precision: str) -> Tolerance:
    """Returns what is allowed where nothing else is said.

    In float32 an export is the same function: 1e-3 of the length and 0.1 points of mAP.
    One in half precision may lose 1 point. So may one in 8 bits, whatever the
    embeddings: their errors are of several per cent each, and what counts is whether
    the right images still rank first. Rank-1 is not judged: one query of a small set
    decides more than 0.1 points of it.

    Args:
        kind: str. The format.
        precision: str. The run's policy: "float32", "mixed_float16" or
            "mixed_bfloat16".

    Returns:
        `Tolerance`.
    """
    if kind == "litert-int8":
        return Tolerance(difference=None, points=1.0)
    return Tolerance(_DIFFERENCES[precision], points=0.1 if precision == "float32" else 1.0)


@dataclasses.dataclass(frozen=True)
class Parity:
    """An export beside its run, on the same images.

    Args:
        images: int. Query and gallery images compared.
        queries: int. Queries that have a match among them.
        difference: float. The largest difference of an image's two embeddings (the
            length of the difference vector), as a share of the mean length of the run's
            embeddings.
        rank1: (float, float). Of the run and of the export, in [0, 1].
        mean_average_precision: (float, float). Of the run and of the export, in [0, 1],
            by the step rule.
        tolerance: `Tolerance`.
    """

    images: int
    queries: int
    difference: float
    rank1: tuple[float, float]
    mean_average_precision: tuple[float, float]
    tolerance: Tolerance

    def check(self, kind: str) -> None:
        """Raises an `InputError` with the figures where the export is outside the tolerance, or not a number.

        Args:
            kind: str. The format.
        """
        most = self.tolerance.difference
        (before, after), ranks = (100 * np.array(pair) for pair in (self.mean_average_precision, self.rank1))
        near = np.isfinite(self.difference) and (most is None or self.difference <= most)
        if near and before - after <= self.tolerance.points:
            return
        allowed = "any" if most is None else f"at most {most:g}"
        raise InputError(
            f"The export as {kind!r} is not the run's encoder: on {self.images} images the embeddings differ by up to "
            f"{self.difference:.3g} of their mean length ({allowed} is allowed), mAP is {after:.2f} instead of "
            f"{before:.2f} ({self.tolerance.points:g} points less is allowed) and rank-1 {ranks[1]:.2f} instead of "
            f"{ranks[0]:.2f}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures as JSON values."""
        return {
            "images": self.images,
            "queries": self.queries,
            "difference": self.difference,
            "rank1": dict(zip(("run", "export"), self.rank1, strict=True)),
            "mAP": dict(zip(("run", "export"), self.mean_average_precision, strict=True)),
            "tolerance": dataclasses.asdict(self.tolerance),
        }


def compare(
    encoder: Encoder, embed_exported: EmbedRecords, dataset: ReIDDataset, protocol: str, tolerance: Tolerance
) -> Parity:
    """Embeds queries and gallery twice and ranks them twice.

    Args:
        encoder: `Encoder` of the run, with the options of the export (flip, unit
            length).
        embed_exported: function from records to float32 [N, dim], through the exported
            file.
        dataset: `ReIDDataset`, such as `whole_identities()` gives it. Its query and
            gallery are compared.
        protocol: str. As in `evaluate()`.
        tolerance: `Tolerance`. It is not checked here.

    Returns:
        `Parity`.

    Raises:
        InputError: an image cannot be read, or no query has a match.
    """
    query, gallery = (embed(encoder, records) for records in (dataset.query, dataset.gallery))
    exported = [embed_exported(records) for records in (dataset.query, dataset.gallery)]
    expected, found = np.concatenate([query.vectors, gallery.vectors]), np.concatenate(exported)
    difference = np.linalg.norm(found - expected, axis=1).max() / np.linalg.norm(expected, axis=1).mean()
    of_run = evaluate(query, gallery, encoder.distance, protocol=protocol)
    # Embeddings that are not numbers have no order: they are the worst there is.
    figures = (0.0, 0.0)
    if np.isfinite(found).all():
        sides = zip((query, gallery), exported, strict=True)
        query, gallery = (dataclasses.replace(side, vectors=vectors) for side, vectors in sides)
        of_export = evaluate(query, gallery, encoder.distance, protocol=protocol)
        figures = (float(of_export.cmc[0]), of_export.mean_average_precision)
    return Parity(
        images=len(expected),
        queries=of_run.num_valid_queries,
        difference=float(difference),
        rank1=(float(of_run.cmc[0]), figures[0]),
        mean_average_precision=(of_run.mean_average_precision, figures[1]),
        tolerance=tolerance,
    )


def whole_identities(dataset: ReIDDataset, max_images: int) -> ReIDDataset:
    """Chooses so many query and gallery images that no match of a chosen query is left out, always the same ones.

    Identities with a query come first, in a fixed random order, then those without; one
    that does not fit is passed over.

    Args:
        dataset: `ReIDDataset`.
        max_images: int. The most query and gallery images together.

    Returns:
        The data set with those of its query and gallery images.

    Raises:
        InputError: fewer than two identities with a query fit.
    """
    max_images = whole_number("max_images", max_images)
    images = dataset.query + dataset.gallery
    identities, counts = np.unique([record.identity for record in images], return_counts=True)
    queried = np.isin(identities, [record.identity for record in dataset.query])
    order = np.random.default_rng(0).permutation(len(identities))
    chosen: set[int] = set()
    left = max_images
    for index in sorted(order, key=lambda index: not queried[index]):  # a stable sort
        if counts[index] <= left:
            chosen.add(int(identities[index]))
            left -= int(counts[index])
    if len(chosen & {record.identity for record in dataset.query}) < min(2, queried.sum()):
        raise InputError(
            f"max_images must leave room for two people with all their images: at least "
            f"{np.sort(counts[queried])[:2].sum()}. Received: max_images={max_images}."
        )
    query, gallery = (
        tuple(record for record in split if record.identity in chosen) for split in (dataset.query, dataset.gallery)
    )
    return dataclasses.replace(dataset, query=query, gallery=gallery)
