"""Everything that is drawn and tabulated of one evaluation, in one folder."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.report.attribute_chart import attribute_chart
from reid_tf.report.attribute_table import write_attribute_csv
from reid_tf.report.curves import cmc_curve
from reid_tf.report.picture import write_png
from reid_tf.report.ranked_list import draw_ranked_lists
from reid_tf.retrieval.attribute_metrics import AttributeMetrics
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import RetrievalMetrics
from reid_tf.retrieval.per_query import write_per_query_csv
from reid_tf.retrieval.reranking import Reranking


@dataclasses.dataclass(frozen=True, eq=False)
class Refined:
    """A ranking that was made better after embedding, and its figures.

    Args:
        name: str. What was done, for the legend and the table.
        query: `Embeddings`. As they are ranked with.
        gallery: `Embeddings`.
        reranking: `Reranking`, or None.
        metrics: `RetrievalMetrics`.
    """

    name: str
    query: Embeddings
    gallery: Embeddings
    reranking: Reranking | None
    metrics: RetrievalMetrics


def write_report(
    folder: str | Path,
    query: Embeddings,
    gallery: Embeddings,
    metrics: RetrievalMetrics,
    read_image: Callable[[str], np.ndarray],
    *,
    refined: Refined | None = None,
    references: Mapping[str, Mapping[str, Any]] | None = None,
    distance: str = "cosine",
    protocol: str = "market1501",
    ranked_lists: int = 8,
    attributes: AttributeMetrics | None = None,
    explain: Callable[[str, str], np.ndarray] | None = None,
) -> None:
    """Writes `ranked_lists.png`, `cmc.png` and `per_query.csv`; of attributes also `attributes.csv` and `.png`.

    Of a refined ranking there are `ranked_lists_refined.png` and `per_query_refined.csv`
    too.

    Args:
        folder: str or Path. Made when missing.
        query: `Embeddings` with paths.
        gallery: `Embeddings` with paths.
        metrics: `RetrievalMetrics` of the two.
        read_image: function of a path that returns uint8 [H, W, 3], RGB.
        refined: `Refined`, or None. Another ranking of the same queries and gallery.
        references: mapping of a name to figures as in `RetrievalMetrics.to_dict()`,
            drawn beside the curve, or None.
        distance: "cosine", "euclidean" or "mean_squared".
        protocol: "market1501", "single_camera" or "cuhk03_single_shot".
        ranked_lists: int >= 1. Queries in the picture.
        attributes: `AttributeMetrics`, or None where none were judged.
        explain: function as in `draw_ranked_lists()`, or None. The same lists are drawn
            with it too, as `ranked_lists_explained.png`.

    Raises:
        InputError: as `draw_ranked_lists()`.
    """
    folder = Path(folder)
    draw = functools.partial(
        draw_ranked_lists, read_image=read_image, rows=ranked_lists, distance=distance, protocol=protocol
    )
    write_png(folder / "ranked_lists.png", draw(query, gallery))
    if explain:
        write_png(folder / "ranked_lists_explained.png", draw(query, gallery, explain=explain))
    curves: dict[str, RetrievalMetrics | Mapping[str, Any]] = {"trained encoder": metrics}
    if refined:
        picture = draw(refined.query, refined.gallery, reranking=refined.reranking)
        write_png(folder / "ranked_lists_refined.png", picture)
        write_per_query_csv(folder / "per_query_refined.csv", query, refined.metrics)
        curves[refined.name] = refined.metrics
    curves |= references or {}
    cmc_curve(folder / "cmc.png", {name.replace("_", " "): result for name, result in curves.items()})
    write_per_query_csv(folder / "per_query.csv", query, metrics)
    if attributes is not None:
        write_attribute_csv(folder / "attributes.csv", attributes)
        attribute_chart(folder / "attributes.png", attributes)
