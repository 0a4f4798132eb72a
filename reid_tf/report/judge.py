"""An encoder on a test set: embeddings, ranks, figures, and a folder of pictures and tables."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from reid_tf.datasets.record import ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.query_and_gallery import embed_query_and_gallery
from reid_tf.encoder.verifier import measure_verification
from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.pipeline.decode import read_image
from reid_tf.report.attribute_table import attribute_means_table
from reid_tf.report.evaluation import Refined, write_report
from reid_tf.report.heat import explaining
from reid_tf.report.judgement import Figures, Judgement
from reid_tf.report.open_set import open_set_curve, open_set_table
from reid_tf.report.table import metrics_table
from reid_tf.report.trust_table import MOST_CAMERAS, camera_table, interval_table, write_camera_csv
from reid_tf.report.verification_table import verification_table, write_verification_csv
from reid_tf.retrieval.camera_pairs import evaluate_camera_pairs
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.intervals import LEAST_PEOPLE, count_people, rank_intervals
from reid_tf.retrieval.metrics import JUNK_IDENTITY, RetrievalMetrics, evaluate
from reid_tf.retrieval.multi_query import pool_queries
from reid_tf.retrieval.open_set import OpenSetMetrics, evaluate_open_set, without_people
from reid_tf.retrieval.refinement import Refinement
from reid_tf.retrieval.verification_metrics import VerificationMetrics
from reid_tf.retrieval.verification_pairs import pair_distances, verification_pairs

if TYPE_CHECKING:
    import keras

MOST_PAIRS = 500_000  # of each kind: enough for a false-accept rate of 0.002 %


def judge(
    encoder: Encoder,
    dataset: ReIDDataset,
    folder: str | Path,
    *,
    name: str = "trained encoder",
    verifier: "keras.Model | None" = None,
    protocol: str = "market1501",
    distance: str | None = None,
    draws: int | None = None,
    multi_query: Literal["mean", "max"] | None = None,
    refinement: Refinement | None = None,
    unknown_share: float | None = None,
    explain: bool = False,
    references: Mapping[str, Figures] | None = None,
    batch_size: int = 64,
    ranked_lists: int = 8,
) -> Judgement:
    """Ranks a data set's gallery for its queries, verifies pairs, judges attributes, and writes the report.

    Pairs of images are those among the people who are searched for, across cameras
    where the protocol ranks across cameras; at most half a million of each kind.
    Attributes are judged where both sides know any.

    Args:
        encoder: `Encoder`.
        dataset: `ReIDDataset`. Its query and gallery.
        folder: str or Path. Where pictures and tables go.
        name: str. Of the encoder, in the table.
        verifier: keras.Model as in `System.verifier`, measured beside the distance, or
            None.
        protocol: str. As in `evaluate()`.
        distance: str, or None for the encoder's own.
        draws: int, or None for the default of `evaluate()`. Galleries drawn by
            "cuhk03_single_shot".
        multi_query: "mean" or "max", how all images of a query's identity and camera
            are pooled; None for single queries.
        refinement: `Refinement`, or None. Its figures, ranked lists and queries stand
            beside those of the plain ranking.
        unknown_share: float in [0, 1), or None. For an open-set evaluation beside: so
            many of those who are searched for are taken out of its gallery. 0 for a
            data set that has queries of unknown people; they count there alone.
        explain: bool. Whether the ranked lists are also drawn with the places that make
            each result like its query.
        references: mapping from a name to figures that are shown beside, or None.
        batch_size: int. Images embedded at once.
        ranked_lists: int >= 1. Queries in the picture.

    Returns:
        `Judgement`.

    Raises:
        InputError: as `evaluate()` and `embed()`, the data set's attributes are not the
            encoder's, or it has no images for multi-query evaluation.
    """
    distance, references = distance or encoder.distance, references or {}
    query, gallery, attributes = embed_query_and_gallery(encoder, dataset, batch_size)
    everyone = query, gallery
    if unknown_share is not None:  # else `evaluate()` says what the identity -1 has to do there
        query, gallery = (side.select(side.identities != JUNK_IDENTITY) for side in everyone)
    verification = _verify(query, gallery, distance, protocol, verifier)
    if multi_query:
        if not dataset.multi_query:
            raise InputError(
                f"The data set {dataset.name!r} has {len(dataset.multi_query)} images for multi-query evaluation."
            )
        query = pool_queries(query, embed(encoder, dataset.multi_query, batch_size), multi_query)
    measure = functools.partial(evaluate, distance=distance, protocol=protocol)
    if draws is not None:
        measure = functools.partial(measure, draws=draws)
    metrics, refined = measure(query, gallery), None
    if refinement:
        sides = refinement.blended(query, gallery, distance)
        reranking = refinement.reranking
        refined = Refined(str(refinement), *sides, reranking, measure(*sides, reranking=reranking))
    write_report(
        folder,
        query,
        gallery,
        metrics,
        read_image,
        refined=refined,
        references=references,
        distance=distance,
        protocol=protocol,
        ranked_lists=ranked_lists,
        attributes=attributes,
        explain=explaining(encoder) if explain else None,
    )
    figures: Figures = dict(metrics.to_dict())
    rows = {name: figures}
    if refined:
        rows[refined.name] = refined.metrics.to_dict()
        figures["refined"] = {"steps": refined.name, **rows[refined.name]}
    rows |= {reference.replace("_", " "): row for reference, row in references.items()}
    tables = [metrics_table(rows)]
    if verification:
        figures["verification"] = {compared: result.to_dict() for compared, result in verification.items()}
        tables.append(verification_table(verification))
        write_verification_csv(Path(folder) / "verification.csv", verification)
    if attributes is not None:
        figures["attributes"] = attributes.to_dict()
        tables.append(attribute_means_table(attributes))
    measured = {name: (metrics, figures)}
    if refined:
        measured[refined.name] = (refined.metrics, figures["refined"])
    tables += _intervals(query, measured)
    if protocol != "single_camera":
        tables += _camera_pairs(query, gallery, distance, Path(folder))
    if unknown_share is not None:
        left = without_people(*everyone, unknown_share)
        open_set = evaluate_open_set(everyone[0], left, distance, protocol)
        figures["open_set"] = open_set.to_dict()
        tables.append(_open_set(open_set, name, encoder, distance, Path(folder)))
    with written_beside(Path(folder) / "tables.md") as beside:
        beside.write_text("\n\n".join(tables) + "\n", encoding="utf-8")
    return Judgement(figures, tuple(tables), attributes)


def _intervals(query: Embeddings, measured: Mapping[str, tuple[RetrievalMetrics, Figures]]) -> list[str]:
    """Adds confidence intervals to figures and returns their table, where there are people enough."""
    metrics, _ = next(iter(measured.values()))
    people = count_people(metrics, query.identities)
    if people < LEAST_PEOPLE:
        return []
    intervals = {}
    for name, (result, figures) in measured.items():
        intervals[name] = rank_intervals(result, query.identities)
        figures["intervals"] = {figure: list(interval) for figure, interval in intervals[name].items()}
    return [interval_table(intervals, people)]


def _camera_pairs(query: Embeddings, gallery: Embeddings, distance: str, folder: Path) -> list[str]:
    """Writes `cameras.csv`, and returns its table where that is small enough."""
    if len(np.unique(np.concatenate([query.cameras, gallery.cameras]))) < 2:
        return []
    pairs = evaluate_camera_pairs(query, gallery, distance)
    write_camera_csv(folder / "cameras.csv", pairs)
    cameras = {camera for pair in pairs for camera in pair}
    return [camera_table(pairs)] if len(pairs) > 1 and len(cameras) <= MOST_CAMERAS else []


def _open_set(metrics: OpenSetMetrics, name: str, encoder: Encoder, distance: str, folder: Path) -> str:
    """Draws `open_set.png`, and returns the table; both judge the encoder's threshold, if it has one."""
    calibration = encoder.calibration if distance == encoder.distance else None
    threshold = None if calibration is None else calibration.threshold
    open_set_curve(folder / "open_set.png", {name: metrics}, threshold)
    return open_set_table(metrics, threshold)


def _verify(
    query: Embeddings, gallery: Embeddings, distance: str, protocol: str, verifier: "keras.Model | None"
) -> dict[str, VerificationMetrics]:
    """Compares the images of the people who are searched for, pair by pair; nothing where they are one person."""
    others = np.isin(gallery.identities, query.identities) & ~np.isin(gallery.paths, query.paths)
    images = Embeddings.concatenate([query, gallery.select(others)])
    if len(np.unique(images.identities)) < 2:
        return {}
    across_cameras = protocol != "single_camera"
    pairs = verification_pairs(images.identities, images.cameras, across_cameras, most=MOST_PAIRS)
    distances = pair_distances(images.vectors, pairs, distance)
    return measure_verification(images.vectors, pairs, distance, distances, verifier)
