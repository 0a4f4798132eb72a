"""Run one configuration over values of one or more options: a run directory each, one table, one plot.

The same command again goes on where it was interrupted. Finished runs are read and not
trained again. With --repeat, or `repeat:` in a sweep file, every row is run with several
seeds, or on several splits of a data set, and the table has their mean and standard
deviation.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError


def main() -> None:
    """Parses the command line, trains and prints the table."""
    parser = command_line.parser(
        __doc__,
        "reid-tf sweep --sweep configs/sweeps/random_erasing_synthetic.yaml --out runs/erasing\n  "
        "reid-tf sweep --model multitask --vary 'optimizer.learning_rate=[1.0e-3,2.0e-3]' --out runs/rates\n  "
        "reid-tf sweep --sweep random_erasing_synthetic --repeat 'seed=[1,2,3]' --out runs/erasing",
    )
    parser.add_argument("--sweep", metavar="YAML", help="a sweep file, or the name of one that `reid-tf configs` lists")
    command_line.add_experiment_arguments(parser)
    command_line.add_dataset_arguments(parser, default=None)
    parser.add_argument(
        "--vary", action="append", default=[], metavar="KEY=[VALUES]", help="repeatable: every combination is run"
    )
    parser.add_argument(
        "--repeat", metavar="KEY=[VALUES]", help="run every row with each value, and give mean and standard deviation"
    )
    command_line.add_output(
        parser,
        "--out",
        folder=True,
        required=True,
        metavar="DIR",
        help="the folder of the run directories, table and plot",
    )
    arguments = command_line.parse_with_overrides(parser)

    from reid_tf.report.sweep import sweep_table
    from reid_tf.studies.sweep import plan_sweep, run_sweep
    from reid_tf.studies.sweep_file import Repetitions, load_sweep

    if arguments.sweep:
        check_alone(arguments)
        sweep = load_sweep(command_line.find_config(arguments.sweep, "sweeps"))
        arguments.config, arguments.set = sweep.config, [*sweep.set, *arguments.set]
    vary, reported = (sweep.vary, sweep.reported) if arguments.sweep else (values("--vary", arguments.vary), None)
    repeat = sweep.repeat if arguments.sweep else None
    if arguments.repeat:
        if repeat:
            raise InputError(f"The sweep file {arguments.sweep!r} repeats {repeat.key!r}; leave out --repeat.")
        repeat = Repetitions(*next(iter(values("--repeat", [arguments.repeat]).items())))

    def load(overrides: Sequence[str]) -> ExperimentConfig:
        given = {**vars(arguments), "set": [*arguments.set, *overrides]}
        return command_line.experiment(argparse.Namespace(**given))[0]

    source = reported.source if reported else None
    with command_line.going_on(lambda: f"go on with: {command_line.this_command()}"):
        rows = run_sweep(plan_sweep(vary, load, reported, repeat), arguments.out, source)
    print(f"\n{sweep_table(rows, source)}\n")
    print(f"tables and plot: {arguments.out}")
    failed = [f"{row.run} ({row.error.rstrip('.')})" for row in rows if row.error]
    if failed:
        raise InputError(f"{len(failed)} of {len(rows)} runs failed: {'; '.join(failed)}.")


def check_alone(arguments: argparse.Namespace) -> None:
    """Raises an `InputError` where an argument says again what the sweep file says."""
    given = [f"--{flag} {getattr(arguments, flag)}" for flag in ("config", "model", "vary") if getattr(arguments, flag)]
    if given:
        raise InputError(f"The sweep file {arguments.sweep!r} says what is varied; leave out {', '.join(given)}.")


def values(flag: str, given: list[str]) -> dict[str, tuple[Any, ...]]:
    """Returns what `--vary KEY=[VALUES]` or `--repeat KEY=[VALUES]` gave, the list read as YAML."""
    read: dict[str, tuple[Any, ...]] = {}
    for one in given:
        option, _, text = one.partition("=")
        listed = command_line.key_values(flag, [f"values={text}"], "epochs=[1,2]")["values"]
        if not option or option in read or not isinstance(listed, list):
            raise InputError(
                f"{flag} is an option and a list, each option once, such as epochs=[1,2]. Received: {one!r}."
            )
        read[option] = tuple(listed)
    return read
