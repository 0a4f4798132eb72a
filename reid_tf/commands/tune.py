"""Search for good option values, judged on people held out of the training images: a table, a plot, the best as YAML.

The same command again goes on where it was interrupted, and with more --trials it
continues.
"""

import argparse
from collections.abc import Sequence

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError


def main() -> None:
    """Parses the command line, trains the trials and prints their table."""
    parser = command_line.parser(
        __doc__, "reid-tf tune --config configs/tuning/loss_weights_synthetic.yaml --trials 4 --out runs/tuning"
    )
    parser.add_argument(
        "--config", required=True, metavar="YAML", help="a tuning file, such as those in configs/tuning/"
    )
    parser.add_argument(
        "--trials", required=True, type=command_line.COUNT, metavar="N", help="trials of the whole search"
    )
    parser.add_argument(
        "--method", default="random", metavar="NAME", help="random, bayesian or hyperband (default: %(default)s)"
    )
    command_line.add_output(
        parser, "--out", folder=True, required=True, metavar="DIR", help="the folder of the trials, tables and plot"
    )
    command_line.add_data_argument(parser)
    command_line.add_set_argument(parser)
    arguments = command_line.parse_with_overrides(parser)

    from reid_tf.report.tuning import tuning_table
    from reid_tf.studies.plan import plan_search
    from reid_tf.studies.ranges import load_tuning
    from reid_tf.studies.search import run_search

    tuning = load_tuning(command_line.find_config(arguments.config, "tuning"))

    def load(overrides: Sequence[str]) -> ExperimentConfig:
        given = {"config": tuning.config, "model": None, "data": arguments.data}
        settings = [*tuning.set, *arguments.set, *overrides]
        return command_line.experiment(argparse.Namespace(**given, set=settings))[0]

    with command_line.going_on(lambda: f"go on with: {command_line.this_command()}"):
        result = run_search(plan_search(tuning.ranges, load, arguments.method), arguments.trials, arguments.out)
    print(f"\n{tuning_table(result.rows)}\n")
    print(f"tables and plot: {arguments.out}")
    if any(row.score is not None for row in result.rows):
        print(f"best:            reid-tf train --config {arguments.out}/best.yaml")
    if result.error:
        raise InputError(result.error)
