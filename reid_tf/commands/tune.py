"""Search for good option values, judged on people held out of the training images: a table, a plot, the best as YAML.

The same command again goes on where it was interrupted, and with more --trials it
continues.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.options import Within

if TYPE_CHECKING:
    from reid_tf.studies.tuner_service import TunerService


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
    group = parser.add_argument_group(
        "several processes", "KerasTuner's service: the same command in each, but for the name; or its variables say it"
    )
    group.add_argument("--chief", metavar="HOST:PORT", help="the address of the one that proposes trials")
    group.add_argument("--tuner-id", metavar="NAME", help="chief, or a name of this worker's own")
    group.add_argument(
        "--patience",
        type=command_line.number(float, Within(above=0)),
        metavar="SECONDS",
        help="how long a worker may be silent before its trial is another's (60)",
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

    service = tuner_service(arguments)
    plan = plan_search(tuning.ranges, load, arguments.method)
    with command_line.going_on(lambda: f"go on with: {command_line.this_command()}"):
        result = run_search(plan, arguments.trials, arguments.out, service)
    if service and not service.is_chief:
        print(f"no trial is left; tables and plot are written by the chief: {arguments.out}")
        return
    print(f"\n{tuning_table(result.rows)}\n")
    print(f"tables and plot: {arguments.out}")
    if any(row.score is not None for row in result.rows):
        print(f"best:            reid-tf train --config {arguments.out}/best.yaml")
    if result.error:
        raise InputError(result.error)


def tuner_service(arguments: argparse.Namespace) -> "TunerService | None":
    """Returns the service that the command line or KerasTuner's variables name, or None for a search alone.

    Raises:
        InputError: one of `--chief` and `--tuner-id` lacks the other, or they are not
            right.
    """
    from reid_tf.studies.tuner_service import TunerService, service_of_environment

    address, name = arguments.chief, arguments.tuner_id
    if (address is None) != (name is None):
        raise InputError(f"--chief and --tuner-id belong together. Received: --chief {address}, --tuner-id {name}.")
    service = TunerService(address, name) if address else service_of_environment()
    return service and dataclasses.replace(service, patience=arguments.patience or service.patience)
