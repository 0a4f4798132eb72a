"""Evaluate a run's encoder on a data set: CMC, mAP, a picture of ranked lists and a table of all queries.

An encoder that predicts attributes is judged by them too, on all queries and gallery
images that are labelled. A data set whose test images have no identities is judged on
the run's validation split.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig, Protocol
from reid_tf.errors import InputError
from reid_tf.files import claimed, write_json
from reid_tf.options import Within
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.protocols import SINGLE_SHOT

if TYPE_CHECKING:
    from reid_tf.datasets.record import ReIDDataset


def main() -> None:
    """Parses the command line and evaluates."""
    parser = command_line.parser(__doc__, "reid-tf evaluate --run runs/short --flip")
    command_line.add_encoder_arguments(parser)
    command_line.add_dataset_arguments(parser, default=None)
    parser.add_argument("--protocol", choices=get_args(Protocol), help="default: the run's own")
    parser.add_argument(
        "--draws", type=command_line.COUNT, metavar="N", help="how often cuhk03_single_shot draws a gallery"
    )
    parser.add_argument("--distance", choices=tuple(DISTANCES), help="default: the run's own")
    parser.add_argument(
        "--multi-query", choices=("mean", "max"), help="pool all images of a query's identity and camera"
    )
    command_line.add_reranking(parser)
    parser.add_argument(
        "--expand", type=command_line.COUNT, default=0, metavar="K", help="blend each query with its K nearest images"
    )
    parser.add_argument(
        "--augment", type=command_line.COUNT, default=0, metavar="K", help="blend each gallery image with K others"
    )
    parser.add_argument(
        "--alpha",
        type=command_line.NOT_NEGATIVE,
        default=0.0,
        help="how much more similar images weigh there (0)",
    )
    parser.add_argument(
        "--open-set",
        type=command_line.number(float, Within(0, 1)),
        nargs="?",
        const=0.5,
        metavar="SHARE",
        help="also with a gallery that lacks so many of the people (0.5); 0 where queries show unknown people already",
    )
    parser.add_argument("--explain", action="store_true", help="also show where each result is like its query")
    parser.add_argument(
        "--skip-attributes", action="store_true", help="judge retrieval alone: for a data set with other attributes"
    )
    command_line.add_output(
        parser,
        "--out",
        folder=True,
        metavar="DIR",
        help="where pictures and tables go (default: DIR/evaluation-DATASET)",
    )
    arguments = parser.parse_args()

    config, dataset = command_line.run_and_dataset(arguments)
    out = Path(arguments.out or Path(arguments.run) / f"evaluation-{dataset.name}")
    with claimed(out, folder=True):
        evaluate(arguments, config, dataset, out)


def evaluate(arguments: argparse.Namespace, config: ExperimentConfig, dataset: "ReIDDataset", out: Path) -> None:
    """Judges the run's encoder on a data set, writes the report and prints the tables."""
    from reid_tf.encoder.verifier import load_verifier
    from reid_tf.report.judge import judge
    from reid_tf.retrieval.refinement import Refinement
    from reid_tf.training.evaluation import judged_images

    encoder = command_line.encoder(arguments)
    images, protocol = judged_images(config.evaluation, dataset)
    if images is None:
        raise InputError(
            f"There is nothing to judge on: {dataset.name!r} has no identities for its {len(dataset.query):,} queries, "
            f"and {arguments.run!r} was trained without a validation split."
        )
    protocol = arguments.protocol or protocol
    check_draws(arguments, protocol)
    if arguments.skip_attributes:
        encoder = encoder.with_options(attributes=None)
    judgement = judge(
        encoder,
        images,
        out,
        name=f"{arguments.run} on {dataset.name}",
        verifier=load_verifier(arguments.run),
        protocol=protocol,
        distance=arguments.distance,
        draws=arguments.draws,
        multi_query=arguments.multi_query,
        unknown_share=arguments.open_set,
        explain=arguments.explain,
        refinement=Refinement(arguments.augment, arguments.expand, arguments.alpha, command_line.reranking(arguments)),
        ranked_lists=config.evaluation.ranked_lists,
    )
    write_json(out / "metrics.json", judgement.figures)
    print("\n\n".join(judgement.tables))
    print(f"\npictures and tables: {out}")


def check_draws(arguments: argparse.Namespace, protocol: str) -> None:
    """Raises an `InputError` where `--draws` is given and the protocol draws nothing."""
    if arguments.draws is not None and protocol != SINGLE_SHOT:
        raise InputError(
            f"--draws belongs to the protocol {SINGLE_SHOT!r}. Received: --draws {arguments.draws} with {protocol!r}."
        )
