"""Compare encoders on data sets: figures with intervals, tests of their differences, speed.

Written are comparison.md (a matrix of encoders and data sets, what the queries of the
same people say of each two encoders, and speeds), .csv, .json and a plot of mAP over the
time of a call, .png. Intervals and tests are drawn over people.
"""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from reid_tf.commands import command_line
from reid_tf.config import Protocol, load_config
from reid_tf.errors import InputError
from reid_tf.files import claimed

if TYPE_CHECKING:
    from reid_tf.datasets.record import ReIDDataset


def main() -> None:
    """Parses the command line, compares and writes the report."""
    parser = command_line.parser(
        __doc__, "reid-tf compare runs/a runs/b --dataset synthetic --dataset market1501=DATA --out comparison"
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished run directories, or exports")
    parser.add_argument(
        "--dataset",
        action="append",
        required=True,
        metavar="NAME[=ROOT]",
        help="a registered data set, and the folder that holds it; repeatable",
    )
    parser.add_argument("--protocol", choices=get_args(Protocol), help="default: that of the runs")
    parser.add_argument("--flip", action="store_true", help="average over an image and its mirror image")
    command_line.add_detector_arguments(parser, "finds the landmarks of images that have none, where needed")
    command_line.add_output(parser, "--out", folder=True, required=True, metavar="DIR", help="where the report goes")
    arguments = parser.parse_args()
    if len(set(arguments.runs)) < len(arguments.runs):
        raise InputError(f"Every run is compared once. Received: {' '.join(arguments.runs)}.")
    protocol = arguments.protocol or protocol_of(arguments.runs)

    from reid_tf.encoder.load import load_encoder
    from reid_tf.report.comparison import compare, write_comparison

    with claimed(arguments.out, folder=True):
        datasets = [load(text) for text in arguments.dataset]
        encoders = {}
        for run in arguments.runs:
            encoder = load_encoder(run, command_line.detector(arguments))
            encoders[run] = encoder.with_options(flip=encoder.flip or arguments.flip)
        print(write_comparison(arguments.out, compare(encoders, datasets, protocol)))
    print(f"\nreport: {arguments.out}")


def protocol_of(runs: list[str]) -> str:
    """Returns the protocol by which all runs are judged; exports have none.

    Raises:
        InputError: two runs are judged by different ones.
    """
    files = [Path(run) / "config.yaml" for run in runs]
    protocols = {str(file.parent): load_config(file).evaluation.protocol for file in files if file.is_file()}
    if len(set(protocols.values())) > 1:
        shown = ", ".join(f"{run!r} {protocol}" for run, protocol in protocols.items())
        raise InputError(
            f"Runs of different protocols are compared by one of them: choose it with --protocol. Received: {shown}."
        )
    return next(iter(protocols.values()), get_args(Protocol)[0])


def load(text: str) -> "ReIDDataset":
    """Returns the data set that NAME or NAME=ROOT means."""
    from reid_tf.datasets.load import load_dataset

    name, _, root = text.partition("=")
    return load_dataset(name, root or None)
