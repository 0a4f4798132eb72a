"""Draw what a training sees: an augmented batch of an experiment, or random samples of a data set.

Above each image of a batch is its original, resized and nothing else; pairs are side by
side. Each image has its identity and its camera beneath it.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from reid_tf.commands import command_line
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.record import Record, ReIDDataset, class_of_identity
from reid_tf.errors import InputError


def main() -> None:
    """Parses the command line and writes one picture."""
    parser = command_line.parser(__doc__, "reid-tf preview --dataset synthetic --what samples --out samples.png")
    parser.add_argument("--what", choices=["batch", "samples"], required=True, help="what to draw")
    command_line.add_output(parser, "--out", required=True, metavar="PNG", help="the picture to write")
    command_line.add_experiment_arguments(parser)
    command_line.add_dataset_arguments(parser, default=None)
    parser.add_argument("--split", default="train", help="split that samples are drawn from (default: %(default)s)")
    parser.add_argument("--images", type=command_line.COUNT, default=32, help="images to draw (default: %(default)s)")
    parser.add_argument(
        "--seed", type=command_line.WHOLE, default=0, help="seed of the choice of samples (default: %(default)s)"
    )
    arguments = command_line.parse_with_overrides(parser)
    images, captions, originals = batch(arguments) if arguments.what == "batch" else (*samples(arguments), None)

    from reid_tf.report.image_grid import image_grid
    from reid_tf.report.picture import write_png

    write_png(arguments.out, image_grid(images, captions, above=originals))
    print(f"Drew {len(images)} images into {arguments.out}")


def batch(arguments: argparse.Namespace) -> tuple[list[np.ndarray], list[str], list[np.ndarray]]:
    """Returns the images of an experiment's first batch as the model gets them, their captions and their originals."""
    config, _ = command_line.experiment(arguments)
    dataset = load_dataset(**config.dataset)
    if not dataset.train:
        raise InputError(f"The data set {dataset.name!r} has no training images: train={dataset.train}.")

    from reid_tf.pipeline.build import build_batches
    from reid_tf.pipeline.decode import load_images, naming_broken_images
    from reid_tf.registry import AUGMENTATIONS, SAMPLERS

    classes = class_of_identity(dataset.train)
    sampler = SAMPLERS.build(
        config.batches,
        identities=[record.identity for record in dataset.train],
        cameras=[record.camera for record in dataset.train],
        epochs=config.epochs,
        seed=config.seed,
    )
    batches = build_batches(
        dataset.train,
        classes,
        sampler,
        image_size=config.image_size,
        load_size=config.load_size,
        augment=[AUGMENTATIONS.build(op, image_size=config.image_size) for op in config.augment],
        inputs={"image": "image"},
        targets={},
        seed=config.seed,
    )
    with naming_broken_images(record.path for record in dataset.train):
        inputs, _ = next(batches.as_numpy_iterator())
    indices = next(iter(sampler.epoch(0)))
    records = [dataset.train[index] for index in indices.reshape(-1)]
    captions = [_caption(record, dataset) for record in records]
    if sampler.kind == "pairs":
        images = np.stack([inputs["image_a"], inputs["image_b"]], axis=1)  # [pairs, 2, height, width, 3]
        images = images.reshape(-1, *images.shape[2:])
        for first in range(0, len(captions), 2):
            same = records[first].identity == records[first + 1].identity
            captions[first] += "\nsame >" if same else "\ndifferent >"
    else:
        images = inputs["image"]
    shown = slice(arguments.images)
    originals = load_images([record.path for record in records[shown]], config.image_size)
    return list(np.rint(images).astype(np.uint8)[shown]), captions[shown], list(originals)


def samples(arguments: argparse.Namespace) -> tuple[list[np.ndarray], list[str]]:
    """Returns random images of a data set, as they are, and their captions."""
    if arguments.dataset and not (arguments.config or arguments.model):
        dataset = load_dataset(arguments.dataset, arguments.data, **command_line.dataset_options(arguments))
    else:
        dataset = load_dataset(**command_line.experiment(arguments)[0].dataset)
    records: Sequence[Record] = dataset.splits().get(arguments.split, ())
    if not records:
        splits = ", ".join(f"{name} {len(of_split)}" for name, of_split in dataset.splits().items())
        raise InputError(f"The split {arguments.split!r} of {dataset.name!r} holds no images; there are: {splits}.")

    from reid_tf.pipeline.decode import read_image

    drawn = np.random.default_rng(arguments.seed).permutation(len(records))[: arguments.images]
    return (
        [read_image(records[index].path) for index in drawn],
        [_caption(records[index], dataset) for index in drawn],
    )


def _caption(record: Record, dataset: ReIDDataset) -> str:
    name = (dataset.identity_names or {}).get(record.identity, str(record.identity))
    return f"{name}\ncamera {record.camera}"
