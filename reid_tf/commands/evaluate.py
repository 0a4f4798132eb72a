"""Evaluate a run's encoder on a data set: CMC, mAP, a picture of ranked lists and a table of all queries.

An encoder that predicts attributes is judged by them too, on all queries and gallery images that are labelled.
"""

import argparse
from pathlib import Path
from typing import Any, get_args

from reid_tf.commands import command_line
from reid_tf.config import Protocol
from reid_tf.errors import InputError


def main() -> None:
    """Parses the command line and evaluates."""
    parser = command_line.parser(__doc__, "python tools/evaluate.py --run runs/short --flip")
    command_line.add_encoder_arguments(parser)
    command_line.add_dataset_arguments(parser, default=None)
    parser.add_argument("--protocol", choices=get_args(Protocol), help="default: the run's own")
    parser.add_argument("--draws", type=int, metavar="N", help="how often cuhk03_single_shot draws a gallery")
    parser.add_argument("--distance", choices=("cosine", "euclidean", "mean_squared"), help="default: the run's own")
    parser.add_argument(
        "--multi-query", choices=("mean", "max"), help="pool all images of a query's identity and camera"
    )
    parser.add_argument(
        "--skip-attributes", action="store_true", help="judge retrieval alone: for a data set with other attributes"
    )
    parser.add_argument("--out", metavar="DIR", help="where pictures and tables go (default: DIR/evaluation-DATASET)")
    arguments = parser.parse_args()

    from reid_tf.encoder.embed import embed
    from reid_tf.encoder.query_and_gallery import embed_query_and_gallery
    from reid_tf.files import write_json
    from reid_tf.pipeline.decode import read_image
    from reid_tf.report.attribute_table import attribute_means_table
    from reid_tf.report.evaluation import write_report
    from reid_tf.report.table import metrics_table
    from reid_tf.retrieval.metrics import evaluate
    from reid_tf.retrieval.multi_query import pool_queries

    encoder = command_line.encoder(arguments)
    config, dataset = command_line.run_and_dataset(arguments)
    evaluation = config.evaluation
    protocol = arguments.protocol or evaluation.protocol
    distance = arguments.distance or encoder.distance
    draws = draw_options(arguments, protocol)

    if arguments.skip_attributes:
        encoder = encoder.with_options(attributes=None)
    query, gallery, attributes = embed_query_and_gallery(encoder, dataset)
    if arguments.multi_query:
        if not dataset.multi_query:
            raise InputError(
                f"The data set {dataset.name!r} has {len(dataset.multi_query)} images for multi-query evaluation."
            )
        query = pool_queries(query, embed(encoder, dataset.multi_query), arguments.multi_query)
    metrics = evaluate(query, gallery, distance, protocol=protocol, **draws)

    out = Path(arguments.out or Path(arguments.run) / f"evaluation-{dataset.name}")
    write_report(
        out,
        query,
        gallery,
        metrics,
        read_image,
        distance=distance,
        protocol=protocol,
        ranked_lists=evaluation.ranked_lists,
        attributes=attributes,
    )
    judged = {} if attributes is None else {"attributes": attributes.to_dict()}
    write_json(out / "metrics.json", {**metrics.to_dict(), **judged})
    print(metrics_table({f"{arguments.run} on {dataset.name}": metrics.to_dict()}))
    if attributes is not None:
        print(f"\n{attribute_means_table(attributes)}")
    print(f"\npictures and tables: {out}")


def draw_options(arguments: argparse.Namespace, protocol: str) -> dict[str, Any]:
    """Returns what `--draws` says to `evaluate()`, nothing where it was not given.

    Raises:
        InputError: the protocol draws nothing.
    """
    if arguments.draws is None:
        return {}
    if protocol != "cuhk03_single_shot":
        raise InputError(
            f"--draws belongs to the protocol 'cuhk03_single_shot'. Received: --draws {arguments.draws} with "
            f"{protocol!r}."
        )
    return {"draws": arguments.draws}
