"""Read a data set as training would and say in sentences what is wrong with it.

Exit code 0: nothing that would spoil a run. 1: errors were found. 2: the data set
cannot be loaded.
"""

import sys

from reid_tf.commands import command_line
from reid_tf.datasets.doctor.check import check
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.record import ReIDDataset, count_people


def main() -> None:
    """Parses the command line, prints the splits and the findings."""
    parser = command_line.parser(__doc__, "reid-tf check --dataset synthetic")
    command_line.add_dataset_arguments(parser)
    parser.add_argument("--skip-images", action="store_true", help="check the lists only, open no image")
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.data, **command_line.dataset_options(arguments))
    print_splits(dataset)
    findings = check(dataset, read_images=not arguments.skip_images)
    for finding in findings:
        print(f"{finding.severity}: {finding.sentence}")
    errors = sum(finding.severity == "error" for finding in findings)
    print("No error was found." if not errors else f"Errors found: {errors}.")
    sys.exit(1 if errors else 0)


def print_splits(dataset: ReIDDataset) -> None:
    """Prints the size of every split as a table."""
    print(f"{dataset.name:<12} {'images':>9} {'identities':>11} {'cameras':>8}")
    for split, records in dataset.splits().items():
        cameras = len({record.camera for record in records})
        print(f"{split:<12} {len(records):>9,} {count_people(records):>11,} {cameras:>8,}")
