"""Time of a training step of the multi-task network with more and more outputs, beside the paper's three.

All rows have the same backbone, the same images and the same optimizer; they take
turns, so that whatever else the machine does meets each of them, and every ratio is
between neighbours in time.
"""

import argparse
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

import numpy as np

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError

PAPER = ("identity_a", "identity_b", "verification")
ROWS = {
    "identity, verification": PAPER,
    "+ attributes": (*PAPER, "attributes"),
    "+ embedding": (*PAPER, "embedding"),
    "all five": (*PAPER, "attributes", "embedding"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the experiment and the lengths of the measurement to a parser."""
    command_line.add_experiment_arguments(parser)
    command_line.add_data_argument(parser)
    parser.add_argument(
        "--identities", type=command_line.COUNT, default=16, help="identities per batch, four images each (%(default)s)"
    )
    parser.add_argument("--rounds", type=command_line.COUNT, default=15, help="turns of every row (%(default)s)")
    parser.add_argument("--steps", type=command_line.WHOLE, default=5, help="training steps per turn (%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    logging.getLogger("reid_tf").setLevel(logging.WARNING)
    if not (arguments.config or arguments.model):
        arguments.model = "multitask"  # the default run
    config, name = command_line.experiment(arguments)
    if config.model["name"] != "multitask":
        raise InputError(f"The steps of the model 'multitask' are compared. Received: {config.model['name']!r}.")
    steps = [training_step(with_outputs(config, outputs, arguments.identities))[0] for outputs in ROWS.values()]
    seconds = take_turns(steps, arguments.rounds, arguments.steps)
    height, width = config.image_size
    images = 4 * arguments.identities
    print(f"{name}: {config.backbone['name']}, {images} images of {height} x {width} per step, {config.precision}\n")
    print(f"{'outputs':24}{'step':>10}{'ratio':>9}   range over {arguments.rounds} rounds")
    for row, of_row in zip(ROWS, seconds, strict=True):
        ratios = of_row / seconds[0]
        spread = f"{ratios.min():.3f} to {ratios.max():.3f}"
        print(f"{row:24}{np.median(of_row) * 1e3:>7.1f} ms{np.median(ratios):>9.3f}   {spread}")


def with_outputs(config: ExperimentConfig, outputs: Sequence[str], identities: int) -> ExperimentConfig:
    """Returns a configuration of the same network with other outputs, on batches that suit them all.

    Args:
        config: `ExperimentConfig` of the model multitask.
        outputs: sequence of str.
        identities: int. Identities per batch, four images each.

    Returns:
        `ExperimentConfig`.
    """
    return dataclasses.replace(
        config,
        model={**config.model, "outputs": list(outputs)},
        batches={"name": "identity_pairs", "identities_per_batch": identities, "images_per_identity": 4},
        loss_weights={key: weight for key, weight in config.loss_weights.items() if key in outputs},
        cache="none",
    )


def take_turns(steps: Sequence[Callable[[], object]], rounds: int, repeats: int) -> np.ndarray:
    """Times functions in turns.

    Args:
        steps: sequence of functions.
        rounds: int. Turns of each.
        repeats: int. Calls per turn; a first round before the measurement does not
            count.

    Returns:
        float64 [functions, rounds]: seconds per call.
    """
    seconds = np.zeros((len(steps), rounds + 1))
    for turn in range(rounds + 1):
        for row, step in enumerate(steps):
            started = time.perf_counter()
            for _ in range(repeats):
                step()
            seconds[row, turn] = (time.perf_counter() - started) / repeats
    return seconds[:, 1:]


def training_step(config: ExperimentConfig) -> tuple[Callable[[], object], int]:
    """Prepares a configuration's training, its first stage's.

    Args:
        config: `ExperimentConfig`.

    Returns:
        (a function that takes one step on the same batch each time, steps per epoch).
    """
    from reid_tf.training.experiment import build_experiment
    from reid_tf.training.strategy import precision

    with precision(config.precision):
        experiment = build_experiment(config).in_stages()[0]
        model = experiment.compile()
        inputs, targets = next(iter(experiment.batches()))
    return lambda: model.train_on_batch(inputs, targets), experiment.steps_per_epoch
