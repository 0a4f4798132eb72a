"""Every query's own result, as a table."""

import csv
from pathlib import Path

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import RetrievalMetrics

COLUMNS = ("path", "identity", "camera", "status", "average_precision", "first_match_rank")


def write_per_query_csv(path: str | Path, query: Embeddings, metrics: RetrievalMetrics) -> None:
    """Writes one line per query, in their order.

    The columns are path (empty where the embeddings have none), identity, camera,
    status ("valid" or "skipped"), average_precision (step rule) and first_match_rank;
    the last two are empty for a skipped query, and means where the protocol draws
    images.

    Args:
        path: str or Path. The file; it is complete or absent at this name.
        query: `Embeddings`. The queries that were evaluated.
        metrics: `RetrievalMetrics`. What `evaluate()` returned for them.

    Raises:
        InputError: the metrics are those of another number of queries.
    """
    if len(metrics.average_precisions) != len(query):
        raise InputError(
            f"The metrics must be those of the queries. Received: {len(metrics.average_precisions)} results for "
            f"{len(query)} queries."
        )
    paths = query.paths or ("",) * len(query)
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for index, image in enumerate(paths):
            rank = round(metrics.first_match_ranks[index].item(), 6)
            result = ("valid", f"{metrics.average_precisions[index]:.6f}", rank) if rank else ("skipped", "", "")
            writer.writerow((image, int(query.identities[index]), int(query.cameras[index]), *result))
