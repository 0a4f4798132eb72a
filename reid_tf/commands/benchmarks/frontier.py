"""How well each backbone ranks after the same minutes of training, against how fast it embeds.

All have one recipe, that of the configuration, but for the backbone and the number of
epochs, which follows from the time of a training step measured before. Backbones whose
ImageNet weights come with a package begin with them, the others with random ones.
`NAME:6` is a backbone's first six stages. Embedding is the finished encoder's, of
decoded images in memory, without mirror images.
"""

import argparse
import dataclasses
import json
import logging
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.processes import in_own_process
from reid_tf.commands.benchmarks.step import take_turns, training_step
from reid_tf.config import EvaluationConfig, ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.options import Within
from reid_tf.report.frontier import Placed, frontier_picture
from reid_tf.report.table import table_head, table_row

CONFIG = "light_cuhk03_np"
BACKBONES = (
    *("efficientnet_lite0:5", "efficientnet_lite0:6", "efficientnet_lite0:7", "efficientnet_lite0"),
    *("efficientnet_lite2:6", "mobilenet_v2:6", "resnet18", "res2net26", "osnet_x0_25", "tiny"),
)
# Those of the configurations that learn from scratch on the same images.
NARROW: Mapping[str, Mapping[str, Any]] = {
    "resnet18": {"width": 32, "stem": "light"},
    "resnet26": {"width": 16},
    "res2net26": {"width": 16},
    "resnet18_ibn_b": {"width": 32},
}
HEADER = ("backbone", "weights", "passes", "minutes in all", "rank-1", "mAP", "embedding, images/s")
_STEPS = 8  # measured, for the time of an epoch
_EMBEDDED = 512  # images in a turn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the recipe, the minutes, the backbones and the picture to a parser."""
    command_line.add_experiment_arguments(parser)
    command_line.add_data_argument(parser)
    parser.add_argument(
        "--backbones", nargs="+", default=BACKBONES, metavar="NAME[:STAGES]", help=f"({' '.join(BACKBONES)})"
    )
    parser.add_argument(
        "--minutes",
        type=command_line.number(float, Within(above=0)),
        default=5.0,
        help="of training for each backbone (%(default)s)",
    )
    command_line.add_output(parser, "--out", metavar="PNG", help="also a picture")


def main(arguments: argparse.Namespace) -> None:
    """Trains one backbone after another, prints a row for each, and draws the picture.

    Raises:
        InputError: a backbone or its stages are unknown, or a training failed.
    """
    if not (arguments.config or arguments.model):
        arguments.config = CONFIG
    config, name = command_line.experiment(arguments)
    configs = {text: with_backbone(config, text) for text in arguments.backbones}
    height, width = config.image_size
    print(f"{name}: {height} x {width}, {arguments.minutes:g} minutes of training each\n")
    print(table_head(HEADER), flush=True)
    placed: dict[str, Placed] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (text, changed) in enumerate(tqdm(configs.items(), unit="backbone", disable=None)):
            row, placed[text] = _trained(text, changed, arguments.minutes, Path(folder) / str(number))
            tqdm.write(table_row(row), file=sys.stdout)
            sys.stdout.flush()
    if arguments.out:
        frontier_picture(arguments.out, placed)


def with_backbone(config: ExperimentConfig, text: str) -> ExperimentConfig:
    """Returns a configuration with another backbone, which nothing is held back from to validate.

    Args:
        config: `ExperimentConfig`.
        text: str. A registered backbone's name, with `:STAGES` its first stages alone.

    Returns:
        `ExperimentConfig`.

    Raises:
        InputError: there is no such backbone, or it has no stages to choose from.
    """
    from reid_tf import registry
    from reid_tf.backbones.weights.imagenet import IMAGENET, PACKAGE

    name, _, stages = text.partition(":")
    component: dict[str, Any] = {"name": name, **NARROW.get(name, {})}
    if stages:
        if not stages.isdecimal():
            raise InputError(f"A backbone's stages must be a whole number, as in NAME:6. Received: {text!r}.")
        component["stages"] = int(stages)
    if name in IMAGENET and IMAGENET[name].url.startswith(PACKAGE):
        component["weights"] = "imagenet"
    registry.BACKBONES.options(component)
    plain = EvaluationConfig()
    evaluation = dataclasses.replace(config.evaluation, validation=None, every=plain.every, keep=plain.keep)
    return dataclasses.replace(config, backbone=component, evaluation=evaluation)


def _trained(text: str, config: ExperimentConfig, minutes: float, run: Path) -> tuple[list[str], Placed]:
    from reid_tf.studies.own_process import train_in_own_process

    epochs = max(1, round(60 * minutes / in_own_process(epoch_seconds, config)))
    started = time.perf_counter()
    reason = train_in_own_process(dataclasses.replace(config, epochs=epochs), run, level=logging.ERROR)
    if reason:
        raise InputError(f"The training of {text!r} failed: {reason}")
    taken = (time.perf_counter() - started) / 60
    figures = json.loads((run / "metrics.json").read_text())
    speed = in_own_process(images_per_second, str(run), config)
    weights = config.backbone.get("weights")
    row = [text, weights or "random", str(epochs), f"{taken:.1f}"]
    row += [f"{100 * figures['rank1']:.1f}", f"{100 * figures['mAP']:.1f}", f"{speed:.0f}"]
    return row, Placed(speed, figures["mAP"], weights is not None)


def epoch_seconds(config: ExperimentConfig) -> float:
    """Measures a training step of a configuration and returns how long its epoch is going to take.

    Args:
        config: `ExperimentConfig`.
    """
    step, steps_per_epoch = training_step(dataclasses.replace(config, cache="none"))
    (seconds,) = take_turns([step], _STEPS, 1)
    return float(np.median(seconds)) * steps_per_epoch


def images_per_second(run: str, config: ExperimentConfig) -> float:
    """Measures how fast the encoder of a run embeds images of its data set.

    Args:
        run: str. A finished run directory.
        config: `ExperimentConfig`. The run's.
    """
    from reid_tf.datasets.load import load_dataset
    from reid_tf.encoder.images import load_pixels
    from reid_tf.encoder.load import load_encoder

    encoder = load_encoder(run).with_options(flip=False)
    records = load_dataset(**config.dataset).gallery[:_EMBEDDED]
    pixels = load_pixels([record.path for record in records], encoder.image_size)
    (seconds,) = take_turns([lambda: encoder(pixels)], 3, 1)
    return len(pixels) / float(np.median(seconds))
