"""Train a re-identification system, evaluate it, and write a run directory.

With --model alone, the built-in synthetic pedestrians are drawn and a narrow version is
trained on them in minutes. With --from, a run is fine-tuned: by its own configuration,
or by the one that is given. With --resume, an interrupted run goes on, likewise.
"""

import argparse
import dataclasses
import datetime
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.files import unfinished
from reid_tf.options import options_of
from reid_tf.registry import OPTIMIZERS

if TYPE_CHECKING:
    from reid_tf.training.workers import Workers

logger = logging.getLogger(__name__)

# Of fine-tuning, where neither the configuration nor the command line says another: epochs in which only what is new
# learns, and the share of the rate for what is not.
FROZEN_EPOCHS, PRETRAINED_RATE = 1, 0.1


def main() -> None:
    """Parses the command line and trains."""
    parser = command_line.parser(__doc__, "reid-tf train --model multitask --set epochs=2 --out runs/short")
    command_line.add_experiment_arguments(parser)
    command_line.add_dataset_arguments(parser, default=None)
    command_line.add_output(
        parser,
        "--out",
        folder=True,
        metavar="DIR",
        help="the run directory (default: runs/CONFIG; runs/CONFIG-TIME where that is taken)",
    )
    parser.add_argument(
        "--from",
        dest="begin_from",
        metavar="PATH",
        help="fine-tune: begin with what fits of a run, an export, a .keras file or a backbone's weights",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the interrupted run of that --out")
    add_worker_arguments(parser)
    arguments = command_line.parse_with_overrides(parser)
    own = own_configuration(arguments)
    if own and not (arguments.config or arguments.model):
        arguments.config = str(own)
    config, name = command_line.experiment(arguments)
    if arguments.begin_from:
        config = fine_tuned(config, arguments.begin_from, arguments.set)
        name = f"{Path(arguments.begin_from).name}-tuned" if arguments.config == str(own) else name
    if arguments.resume and not arguments.out:
        parser.error("--resume needs --out, the directory of the interrupted run")
    out = arguments.out or free_folder(Path("runs") / name)

    from reid_tf.studies.runs import is_interrupted

    def how() -> str:
        if is_interrupted(Path(out)):
            return f"go on with: {command_line.this_command('--out', str(out), '--resume')}"
        return "there was no checkpoint yet; the same command begins again."

    with command_line.going_on(how):
        together = workers(arguments)
        if together:
            from reid_tf.studies.worker import work

            work(config, out, together, arguments.resume, train_and_print)
        else:
            train_and_print(config, out, arguments.resume)


def own_configuration(arguments: argparse.Namespace) -> Path | None:
    """Returns the configuration of the run that is fine-tuned, or that goes on; None where there is none."""
    runs: tuple[Path, ...] = ()
    if arguments.begin_from:
        runs = (Path(arguments.begin_from),)
    elif arguments.resume and arguments.out:
        runs = (unfinished(arguments.out), Path(arguments.out))
    return next((path for run in runs if (path := run / "config.yaml").is_file()), None)


def train_and_print(config: ExperimentConfig, out: str | Path, resume: bool, workers: "Workers | None" = None) -> None:
    """Trains, and prints the figures and where the rest is; of several workers, the chief does.

    Args:
        config: as in `train()`.
        out: as in `train()`.
        resume: as in `train()`.
        workers: as in `train()`.
    """
    from reid_tf.training.train import train

    result = train(config, out, resume, workers)
    if workers and not workers.is_chief:
        print(f"finished; the run directory is written by {workers.named(0)}")
        return
    for table in result.tables:
        print(f"\n{table}")
    print()
    print(f"pictures: {result.run_directory / 'report'}")
    for name in ("encoder", "model"):
        if (result.run_directory / f"{name}.keras").exists():
            print(f"{name + ':':9} {result.run_directory / name}.keras")


def add_worker_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `workers()` reads."""
    group = parser.add_argument_group(
        "several workers, on one machine or many", "The same command on each, but for the index; or TF_CONFIG says it."
    )
    group.add_argument("--workers", metavar="HOST:PORT,...", help="the addresses of all of them, the chief's first")
    group.add_argument("--worker-index", type=command_line.WHOLE, metavar="N", help="which of them this one is, from 0")
    group.add_argument(
        "--patience", type=command_line.NOT_NEGATIVE, metavar="SECONDS", help="how long the others are waited for (600)"
    )


def workers(arguments: argparse.Namespace) -> "Workers | None":
    """Returns the workers that the command line or `TF_CONFIG` names, or None where this process works alone.

    Raises:
        InputError: one of `--workers` and `--worker-index` lacks the other, or they are
            not right.
    """
    addresses, index = arguments.workers, arguments.worker_index
    if (addresses is None) != (index is None):
        raise InputError(
            f"--workers and --worker-index belong together. Received: --workers {addresses}, --worker-index {index}."
        )
    if addresses is None and not os.environ.get("TF_CONFIG"):
        return None
    from reid_tf.training.workers import Workers, workers_of_environment

    named = Workers(tuple(addresses.split(",")), index) if addresses else workers_of_environment()
    return named and dataclasses.replace(named, patience=arguments.patience or named.patience)


def fine_tuned(config: ExperimentConfig, path: str, overrides: Sequence[str]) -> ExperimentConfig:
    """A configuration that begins from other weights: gently, where it does not say itself how.

    Args:
        config: `ExperimentConfig`.
        path: str. What `begin_from` names.
        overrides: sequence of str. "key=value" of the command line, which stand.

    Returns:
        `ExperimentConfig`. The backbone is left alone in the first epoch, and what was
        taken learns at a tenth of the rate; the log says so.
    """
    keys = {override.partition("=")[0] for override in overrides}
    frozen = config.freeze_backbone_epochs
    if not frozen and "freeze_backbone_epochs" not in keys and config.epochs > FROZEN_EPOCHS:
        frozen = FROZEN_EPOCHS
    optimizer = dict(config.optimizer)
    if "pretrained_rate" in options_of(OPTIMIZERS.get(optimizer["name"])):
        optimizer.setdefault("pretrained_rate", PRETRAINED_RATE)
    if frozen != config.freeze_backbone_epochs or optimizer != config.optimizer:
        logger.info(
            "fine-tuning: the backbone stays as it is for %d epoch(s) (freeze_backbone_epochs), what is taken then "
            "learns at %g of the rate (optimizer.pretrained_rate)",
            frozen,
            optimizer.get("pretrained_rate", 1.0),
        )
    backbone = {key: value for key, value in config.backbone.items() if key != "weights"}
    return dataclasses.replace(
        config,
        begin_from=path,
        initial_weights=None,
        backbone=backbone,
        optimizer=optimizer,
        freeze_backbone_epochs=frozen,
    )


def free_folder(wanted: Path) -> Path:
    """The folder itself, or, where a run has that name or was interrupted under it, one with the time at the end."""
    if not any(path.exists() for path in (wanted, unfinished(wanted))):
        return wanted
    return wanted.with_name(f"{wanted.name}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
