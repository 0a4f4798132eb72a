"""Images per second of each step of the input pipeline, and the share of its time that a training waits for data.

Each column adds one step to those before it: the encoded bytes are read, decoded,
resized, augmented, and made into the experiment's batches with their labels. The rows
differ in where the images come from. Nothing but the pipeline runs while a rate is
measured; while the waiting is measured, the experiment's own training step runs on the
batches.
"""

import argparse
import dataclasses
import functools
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.datasets.record import Record, ReIDDataset, class_of_identity
from reid_tf.errors import InputError

STEPS = ("read", "+ decode", "+ resize", "+ augment", "+ batch")
IMAGES_AT_ONCE = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the experiment and the lengths of the measurements to a parser."""
    command_line.add_experiment_arguments(parser)
    command_line.add_data_argument(parser)
    parser.add_argument(
        "--seconds", type=command_line.NOT_NEGATIVE, default=3.0, help="length of one measurement (%(default)s)"
    )
    parser.add_argument("--steps", type=command_line.WHOLE, default=60, help="training steps, 0 for none (%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    logging.getLogger("reid_tf").setLevel(logging.WARNING)  # the caches' notes would break the table up
    if not (arguments.config or arguments.model):
        arguments.model = "multitask"  # the default run
    config, name = command_line.experiment(arguments)
    options = dict(config.dataset)
    dataset = load_dataset(options.pop("name"), options.pop("root", None), **options)
    if not dataset.train:
        raise InputError(f"The data set {dataset.name!r} has no training images: train={dataset.train}.")
    height, width = config.image_size
    print(f"{name}: {len(dataset.train):,} images to {height} x {width}, {os.cpu_count()} cores; images per second\n")
    print(f"{'':16}" + "".join(f"{step:>11}" for step in STEPS))
    with tempfile.TemporaryDirectory() as folder:
        rows: list[tuple[str, Sequence[Record], str]] = [
            ("files", dataset.train, "none"),
            ("prepared", _prepared(dataset, Path(folder) / "prepared"), "none"),
            ("cache encoded", dataset.train, "encoded"),
            ("cache decoded", dataset.train, "decoded"),
        ]
        for row, records, cache in rows:
            rates = [_rate(stream, arguments.seconds) for stream in _streams(records, config, cache)]
            # Decoded images begin with what resizing gives.
            cells = [""] * (len(STEPS) - len(rates)) + [f"{rate:,.0f}" for rate in rates]
            print(f"{row:16}" + "".join(f"{cell:>11}" for cell in cells), flush=True)
    ratio = _accurate_to_quick([record.path for record in dataset.train], arguments.seconds)
    print(f"\ndecoding accurately, upright and within the limit of pixels: {ratio:.2f} times the speed of decode_image")
    if arguments.steps:
        print(f"\nwaiting for data: {_waiting_of(config, arguments.steps):.1%} of the time of {arguments.steps} steps")


def waiting_share(batches: Iterator[Any], step: Callable[[Any], Any], steps: int) -> float:
    """Measures which share of its time a loop waits for the next batch.

    Two steps before the measurement build graphs and fill buffers.

    Args:
        batches: iterator over batches.
        step: function of a batch, which returns when the work is done.
        steps: int >= 1.

    Returns:
        float in [0, 1]: time inside `next()` over the whole time.
    """
    for _ in range(2):
        step(next(batches))
    waited = 0.0
    started = time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        step(batch)
    return waited / (time.perf_counter() - started)


def _waiting_of(config: ExperimentConfig, steps: int) -> float:
    from reid_tf.training.experiment import build_experiment

    experiment = build_experiment(config).in_stages()[0]
    model = experiment.compile()
    return waiting_share(iter(experiment.batches().repeat()), lambda batch: model.train_on_batch(*batch), steps)


def _accurate_to_quick(paths: Sequence[str], seconds: float, turns: int = 5) -> float:
    """The images per second of the pipeline's decoder to those of TensorFlow's quickest, in turns on encoded images."""
    import tensorflow as tf

    from reid_tf.pipeline.decode import decode
    from reid_tf.pipeline.sources import encoded_source

    encoded = encoded_source(paths, keep=True)

    def rate(decoder: Callable[[tf.Tensor], tf.Tensor]) -> float:
        def shapes(indices: tf.Tensor) -> tf.Tensor:
            spec = tf.TensorSpec([3], tf.int32)
            return tf.map_fn(lambda image: tf.shape(decoder(image)), encoded(indices), fn_output_signature=spec)

        return _rate(_stream(len(paths), shapes), seconds / turns)

    quick = functools.partial(tf.io.decode_image, channels=3, expand_animations=False)
    return float(np.median([rate(decode) / rate(quick) for _ in range(turns)]))


def _prepared(dataset: ReIDDataset, folder: Path) -> Sequence[Record]:
    prepare(dataclasses.replace(dataset, query=(), gallery=(), multi_query=()), folder)
    return load_dataset("prepared", str(folder)).train


def _streams(records: Sequence[Record], config: ExperimentConfig, cache: Any) -> Iterator[Iterator[int]]:
    """Yields an endless stream for each step; its elements are numbers of images, all of them at work."""
    import tensorflow as tf

    from reid_tf.pipeline.augment.augmentation import augment_batch
    from reid_tf.pipeline.decode import decode
    from reid_tf.pipeline.sources import encoded_source, image_source
    from reid_tf.registry import AUGMENTATIONS

    paths = [record.path for record in records]
    augmentations = [AUGMENTATIONS.build(op, image_size=config.image_size) for op in config.augment]
    source = image_source(paths, config.load_size or config.image_size, cache)

    def augment(indices: tf.Tensor) -> tf.Tensor:
        seed = tf.cast(indices[:2], tf.int32)
        return augment_batch(augmentations, {"image": tf.cast(source(indices), tf.float32)}, seed)["image"]

    if cache != "decoded":
        encoded = encoded_source(paths, keep=cache == "encoded")
        yield _stream(len(paths), encoded)
        # Images of different sizes cannot be stacked; their shapes can.
        yield _stream(
            len(paths),
            lambda indices: tf.map_fn(
                lambda image: tf.shape(decode(image)),
                encoded(indices),
                fn_output_signature=tf.TensorSpec([3], tf.int32),
            ),
        )
    yield _stream(len(paths), source)
    yield _stream(len(paths), augment)
    yield _experiment_stream(records, config, augmentations, cache)


def _stream(count: int, step: Callable[[Any], Any]) -> Iterator[int]:
    import tensorflow as tf

    order = np.random.default_rng(0).permutation(count)
    dataset = tf.data.Dataset.from_tensor_slices(order).repeat().batch(min(IMAGES_AT_ONCE, count), drop_remainder=True)
    dataset = dataset.map(step, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    for batch in dataset:
        yield len(batch)


def _experiment_stream(
    records: Sequence[Record], config: ExperimentConfig, augmentations: Sequence[Any], cache: Any
) -> Iterator[int]:
    from reid_tf.pipeline.build import build_batches
    from reid_tf.registry import SAMPLERS

    sampler = SAMPLERS.build(
        config.batches,
        identities=[record.identity for record in records],
        cameras=[record.camera for record in records],
        epochs=config.epochs,
        seed=config.seed,
    )
    batches = build_batches(
        records,
        class_of_identity(records),
        sampler,
        image_size=config.image_size,
        load_size=config.load_size,
        augment=augmentations,
        inputs={"image": "image"},
        targets={"identity": "identity"},
        seed=config.seed,
        cache=cache,
    )
    for inputs, _ in batches:
        yield sum(len(images) for images in inputs.values())


def _rate(stream: Iterator[int], seconds: float) -> float:
    """Images per second, after the first batch and half the time again to warm up."""
    next(stream)
    ready = time.perf_counter() + seconds / 2
    while time.perf_counter() < ready:
        next(stream)
    images, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        images += next(stream)
    return images / passed
