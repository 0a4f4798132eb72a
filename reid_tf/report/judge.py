"""An encoder on a test set: embeddings, ranks, figures, and a folder of pictures and tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from reid_tf.datasets.record import ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.query_and_gallery import embed_query_and_gallery
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import read_image
from reid_tf.report.attribute_table import attribute_means_table
from reid_tf.report.evaluation import write_report
from reid_tf.report.judgement import Figures, Judgement
from reid_tf.report.table import metrics_table
from reid_tf.retrieval.metrics import evaluate
from reid_tf.retrieval.multi_query import pool_queries


def judge(
    encoder: Encoder,
    dataset: ReIDDataset,
    folder: str | Path,
    *,
    name: str = "trained encoder",
    protocol: str = "market1501",
    distance: str | None = None,
    draws: int | None = None,
    multi_query: Literal["mean", "max"] | None = None,
    references: Mapping[str, Figures] | None = None,
    batch_size: int = 64,
    ranked_lists: int = 8,
) -> Judgement:
    """Ranks a data set's gallery for its queries, judges attributes where both sides know any, and writes the report.

    Args:
        encoder: `Encoder`.
        dataset: `ReIDDataset`. Its query and gallery.
        folder: str or Path. Where pictures and tables go.
        name: str. Of the encoder, in the table.
        protocol: str. As in `evaluate()`.
        distance: str, or None for the encoder's own.
        draws: int, or None for the default of `evaluate()`. Galleries drawn by
            "cuhk03_single_shot".
        multi_query: "mean" or "max", how all images of a query's identity and camera
            are pooled; None for single queries.
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
    if multi_query:
        if not dataset.multi_query:
            raise InputError(
                f"The data set {dataset.name!r} has {len(dataset.multi_query)} images for multi-query evaluation."
            )
        query = pool_queries(query, embed(encoder, dataset.multi_query, batch_size), multi_query)
    drawn = {} if draws is None else {"draws": draws}
    metrics = evaluate(query, gallery, distance, protocol=protocol, **drawn)
    write_report(
        folder,
        query,
        gallery,
        metrics,
        read_image,
        references=references,
        distance=distance,
        protocol=protocol,
        ranked_lists=ranked_lists,
        attributes=attributes,
    )
    figures = metrics.to_dict()
    rows = {name: figures, **{reference.replace("_", " "): row for reference, row in references.items()}}
    if attributes is None:
        return Judgement(figures, (metrics_table(rows),))
    tables = (metrics_table(rows), attribute_means_table(attributes))
    return Judgement({**figures, "attributes": attributes.to_dict()}, tables, attributes)
