"""Parameters, multiply-adds and speed of every backbone, and some networks beside PyTorch's.

Speeds are of one batch in memory. "Embedding" is what a loaded encoder does with it:
the backbone with its batch normalisations folded, and global average pooling, compiled,
from grey values on. "Training" is one step of an identity softmax after the same
pooling, SGD with momentum. Models take turns, and each has a first call before the
measurement. "bfloat16" is Keras' policy mixed_bfloat16. PyTorch's networks are as built,
in channels-last memory.
"""

import argparse
import functools
import gc
import importlib.util
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.step import take_turns
from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.registry import BACKBONES
from reid_tf.report.table import table_head, table_row

IDENTITIES = 751  # Market-1501's training identities
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
COLUMNS = (
    *("backbone", "parameters, M", "with 1000 classes, M", "multiply-adds, G"),
    *(f"{work}, {precision}" for work in ("embedding", "training") for precision in PRECISIONS),
)
PEER_COLUMNS = ("network", "images/s", "reid_tf", "PyTorch", "ratio", "range")

Steps = dict[str, Callable[[], object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the backbones and the lengths of the measurement to a parser."""
    parser.add_argument(
        "--backbones", nargs="+", metavar="NAME", help="registered backbones (all), and keras_application:APPLICATION"
    )
    parser.add_argument(
        "--image-size", type=command_line.COUNT, nargs=2, default=[256, 128], metavar=("H", "W"), help="(256 128)"
    )
    parser.add_argument("--batch", type=command_line.COUNT, default=32, help="images per batch (%(default)s)")
    parser.add_argument(
        "--rounds", type=command_line.COUNT, default=1, help="measured turns of a backbone's steps (%(default)s)"
    )
    parser.add_argument(
        "--peers", nargs="+", default=["resnet50"], metavar="NAME", help="networks to run in PyTorch too (resnet50)"
    )
    parser.add_argument(
        "--peer-rounds",
        type=command_line.WHOLE,
        default=3,
        help="turns beside PyTorch's networks; 0 leaves them out (%(default)s)",
    )
    parser.add_argument("--no-training", action="store_true", help="leave out the training steps")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its tables, each row when it is known."""
    logging.getLogger("reid_tf").setLevel(logging.WARNING)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # a function for each model is meant
    names = arguments.backbones or [
        name for name in BACKBONES.names() if name not in ("keras_application", "keras_hub")
    ]
    for name in names:
        BACKBONES.options(_component(name))  # an unknown one is named before anything is measured
    height, width = arguments.image_size
    print(f"{height} x {width}, {arguments.batch} images per batch, speeds in images/s\n")
    if arguments.peer_rounds:
        peer_table(arguments)
        print()
    print(table_head(COLUMNS), flush=True)
    for name in tqdm(names, desc="backbones", unit="backbone", disable=None):
        _show(backbone_row(name, arguments))
        gc.collect()  # a model is a cycle of references, and may be large


def backbone_row(name: str, arguments: argparse.Namespace) -> list[str]:
    """Measures a backbone.

    Args:
        name: str. A registered backbone.
        arguments: what `add_arguments` describes.

    Returns:
        list of str, in the order of `COLUMNS`; a step that was not wanted is empty.
    """
    from reid_tf.backbones.cost import count_parameters, multiply_adds

    component = _component(name)
    backbone = BACKBONES.build(component, image_size=tuple(arguments.image_size))
    parameters = count_parameters(backbone)
    classifier = (backbone.output_shape[-1] + 1) * 1000
    cost = [f"{parameters / 1e6:.2f}", f"{(parameters + classifier) / 1e6:.2f}", f"{multiply_adds(backbone) / 1e9:.3f}"]
    speeds = _images_per_second(our_steps(component, arguments), arguments)
    return [name, *cost, *(f"{speeds[column]:.1f}" if column in speeds else "" for column in COLUMNS[4:])]


def _component(text: str) -> dict[str, str]:
    name, colon, application = text.partition(":")
    return {"name": name, **({"application": application} if colon else {})}


def our_steps(component: Mapping[str, Any], arguments: argparse.Namespace) -> Steps:
    """Builds a backbone in each precision, and what is measured of it.

    Args:
        component: mapping. A registered backbone with its options.
        arguments: what `add_arguments` describes.

    Returns:
        dict from "embedding, float32", "embedding, bfloat16" and, where wanted, the
        same with "training" to a function without arguments.
    """
    import keras

    from reid_tf.backbones.folding import fold_normalization
    from reid_tf.training.strategy import precision

    images, identities = batch(arguments)
    steps: Steps = {}
    for name, policy in PRECISIONS.items():
        with precision(policy):
            backbone = BACKBONES.build(component, image_size=tuple(arguments.image_size))
            pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
            embedding = keras.layers.Activation("linear", dtype="float32")(pooled)
            logits = keras.layers.Activation("linear", dtype="float32")(keras.layers.Dense(IDENTITIES)(pooled))
        encoder = fold_normalization(keras.Model(backbone.input, embedding))
        classifier = keras.Model(backbone.input, logits)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        classifier.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss, jit_compile=False)
        steps[f"embedding, {name}"] = functools.partial(encoder.predict_on_batch, images)
        if not arguments.no_training:
            steps[f"training, {name}"] = functools.partial(classifier.train_on_batch, images, identities)
    return steps


def batch(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Returns random images, uint8 [batch, height, width, 3], and identities, int64 [batch]."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (arguments.batch, *arguments.image_size, 3), np.uint8)
    return images, generator.integers(0, IDENTITIES, arguments.batch)


def peer_table(arguments: argparse.Namespace) -> None:
    """Prints networks in both libraries, in turns, each ratio between neighbours in time.

    Args:
        arguments: what `add_arguments` describes.

    Raises:
        InputError: a network is not one of those that are written in PyTorch here.
    """
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its networks were not measured.")
        return
    from reid_tf.commands.benchmarks.torch_networks import PEERS
    from reid_tf.commands.benchmarks.torch_steps import steps

    for name in arguments.peers:
        if name not in PEERS:
            raise InputError(unknown("network written in PyTorch", name, PEERS))
    images, identities = batch(arguments)
    print(table_head(PEER_COLUMNS), flush=True)
    for name in tqdm(arguments.peers, desc="networks", unit="network", disable=None):
        peer = PEERS[name]
        theirs = steps(peer.build(), images, identities, IDENTITIES, training=not arguments.no_training)
        for work, our_step in our_steps({"name": name, **peer.options}, arguments).items():
            pairs = {form: step for form, step in theirs.items() if form.startswith(work)}
            seconds = take_turns([our_step, *pairs.values()], arguments.peer_rounds, 1)
            for row, form in enumerate(pairs, start=1):
                _show([name, *_peer_row(form, seconds[0], seconds[row], arguments.batch)])
        gc.collect()


def _peer_row(name: str, ours: np.ndarray, theirs: np.ndarray, images: int) -> list[str]:
    ratios = theirs / ours  # of images per second: above 1 where we are faster
    speeds = [f"{images / np.median(seconds):.1f}" for seconds in (ours, theirs)]
    return [name, *speeds, f"{np.median(ratios):.2f}", f"{ratios.min():.2f} to {ratios.max():.2f}"]


def _images_per_second(steps: Steps, arguments: argparse.Namespace) -> dict[str, float]:
    seconds = take_turns(list(steps.values()), arguments.rounds, 1)
    return {name: arguments.batch / float(np.median(of_step)) for name, of_step in zip(steps, seconds, strict=True)}


def _show(cells: Sequence[str]) -> None:
    tqdm.write(table_row(cells))  # above the progress bar
    sys.stdout.flush()  # what was measured outlives an interruption
