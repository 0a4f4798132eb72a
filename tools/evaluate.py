"""Evaluate a run's encoder on a data set: CMC, mAP, a picture of ranked lists and a table of all queries."""

from pathlib import Path

import command_line


def main() -> None:
    """Parses the command line and evaluates."""
    parser = command_line.parser(__doc__, "python tools/evaluate.py --run runs/short --flip")
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run directory")
    command_line.add_dataset_arguments(parser, default=None)
    parser.add_argument("--protocol", choices=("market1501", "single_camera"), help="default: the run's own")
    parser.add_argument("--distance", choices=("cosine", "euclidean", "mean_squared"), help="default: the run's own")
    parser.add_argument("--flip", action="store_true", help="average over an image and its mirror image")
    parser.add_argument(
        "--multi-query", choices=("mean", "max"), help="pool all images of a query's identity and camera"
    )
    parser.add_argument("--out", metavar="DIR", help="where pictures and tables go (default: DIR/evaluation-DATASET)")
    arguments = parser.parse_args()

    from reid_tf.config import load_config
    from reid_tf.datasets.load import load_dataset
    from reid_tf.errors import InputError
    from reid_tf.files import write_json
    from reid_tf.pipeline.decode import read_image
    from reid_tf.report.evaluation import write_report
    from reid_tf.report.table import metrics_table
    from reid_tf.retrieval.embed import embed, load_encoder
    from reid_tf.retrieval.metrics import evaluate
    from reid_tf.retrieval.multi_query import pool_queries

    encoder = load_encoder(arguments.run)
    encoder.flip = encoder.flip or arguments.flip
    config = load_config(Path(arguments.run) / "config.yaml")
    options = dict(config.dataset) if arguments.dataset is None else {"name": arguments.dataset}
    options.update(command_line.dataset_options(arguments))
    name, root = options.pop("name"), arguments.data or options.pop("root", None)
    dataset = load_dataset(name, root, **options)
    protocol = arguments.protocol or config.evaluation.protocol
    distance = arguments.distance or encoder.distance

    query, gallery = (embed(encoder, records) for records in (dataset.query, dataset.gallery))
    if arguments.multi_query:
        if not dataset.multi_query:
            raise InputError(f"The data set {name!r} has {len(dataset.multi_query)} images for multi-query evaluation.")
        query = pool_queries(query, embed(encoder, dataset.multi_query), arguments.multi_query)
    metrics = evaluate(query, gallery, distance, protocol=protocol)

    out = Path(arguments.out or Path(arguments.run) / f"evaluation-{name}")
    write_report(
        out,
        query,
        gallery,
        metrics,
        read_image,
        distance=distance,
        protocol=protocol,
        ranked_lists=config.evaluation.ranked_lists,
    )
    write_json(out / "metrics.json", metrics.to_dict())
    print(metrics_table({f"{arguments.run} on {name}": metrics.to_dict()}))
    print(f"\npictures and tables: {out}")


if __name__ == "__main__":
    command_line.run(main)
