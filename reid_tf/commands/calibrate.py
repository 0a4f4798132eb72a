"""Choose the distance above which two images count as two people, at a false-accept rate, for a finished run.

The pairs are those of the people that the run held out of its training
(evaluation.validation), never of its test set; with --dataset, those of the people that
are searched for in another data set. Written into the run: calibration.json,
report/roc.png, report/det.png and report/calibration.csv, which has the thresholds of
other rates.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tf.commands import command_line
from reid_tf.datasets.record import Record
from reid_tf.files import claimed

if TYPE_CHECKING:
    from reid_tf.retrieval.calibration import Calibration

PAIRS = {"across_cameras": True, "any": False}


def main() -> None:
    """Parses the command line and calibrates."""
    parser = command_line.parser(__doc__, "reid-tf calibrate --run runs/short --false-accept-rate 0.01")
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run directory")
    parser.add_argument(
        "--false-accept-rate",
        type=float,
        default=1e-3,
        metavar="RATE",
        help="the largest share of pairs of two people that is accepted as one (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs", choices=tuple(PAIRS), help="default: across_cameras, where the images are from several"
    )
    command_line.add_dataset_arguments(parser, default=None)
    command_line.add_detector_arguments(parser, "finds the landmarks of images that have none, where needed")
    arguments = parser.parse_args()

    from reid_tf.calibration.calibrate import calibrate, write_calibration
    from reid_tf.encoder.load import load_encoder
    from reid_tf.encoder.verifier import load_verifier
    from reid_tf.report.verification_table import verification_table
    from reid_tf.retrieval.calibration import CALIBRATION_FILE, check_rate

    check_rate(arguments.false_accept_rate)
    run = Path(arguments.run)
    encoder = load_encoder(run, command_line.detector(arguments))
    with claimed(run / CALIBRATION_FILE):
        result = calibrate(
            encoder,
            load_verifier(run),
            records_of(run, arguments),
            arguments.false_accept_rate,
            PAIRS[arguments.pairs] if arguments.pairs else None,
        )
        replaces = (run / CALIBRATION_FILE).exists()
        write_calibration(run, result)
    print(f"{verification_table(result.metrics)}\n")
    print(summary(result.calibration))
    print(f"written:  {run / CALIBRATION_FILE}{' (instead of an earlier calibration)' if replaces else ''}")
    print(f"pictures: {run / 'report'}")


def records_of(run: Path, arguments: argparse.Namespace) -> tuple[Record, ...]:
    """Returns the images of people that the run has not learnt from, its own or another data set's."""
    from reid_tf.calibration.people import held_out_records, searched_records

    config, dataset = command_line.run_and_dataset(arguments)
    if arguments.dataset is None:
        return held_out_records(run, config.evaluation.validation, dataset)
    return searched_records(run, dataset)


def summary(calibration: "Calibration") -> str:
    """Returns the decision and what it rests on, in lines."""
    figures, distance = calibration.figures, calibration.distance
    accepted = next(iter(figures["compared"].values()))["true_accept_rate"]
    return (
        f"the same person: {distance} distance <= {calibration.threshold:.4g}, which accepts {100 * accepted:.1f} % of "
        f"the genuine pairs and at most {100 * calibration.false_accept_rate:g} % of the impostor pairs\n"
        f"probability: sigmoid({calibration.intercept:.4g} - {calibration.slope:.4g} * distance)\n"
        f"measured on {figures['genuine_pairs']:,} genuine and {figures['impostor_pairs']:,} impostor pairs "
        f"({figures['pairs'].replace('_', ' ')}) of {figures['images']:,} images of {figures['identities']:,} people; "
        f"usable rates: {figures['smallest_false_accept_rate']:.2g} to 1"
    )
