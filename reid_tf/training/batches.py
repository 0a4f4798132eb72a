"""A data set and a system -> the batches that `fit` takes."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from reid_tf.datasets.record import ReIDDataset, class_of_identity
from reid_tf.errors import InputError
from reid_tf.losses.across_replicas import compares_images
from reid_tf.models.system import System
from reid_tf.options import Component
from reid_tf.pipeline.build import build_batches
from reid_tf.pipeline.samplers.sampler import Sampler
from reid_tf.registry import AUGMENTATIONS, SAMPLERS

ERASED: tuple[Component, ...] = ({"name": "flip"}, {"name": "random_erasing"})


def make_batches(
    dataset: ReIDDataset,
    system: System,
    *,
    batch_size: int = 64,
    batches: Component | None = None,
    augment: Sequence[Component] = ERASED,
    load_size: tuple[int, int] | None = None,
    cache: Literal["none", "encoded", "decoded"] = "none",
    epochs: int = 1,
    seed: int = 1,
) -> tf.data.Dataset:
    """Makes the training batches of a system, for `system.compile(...)` and `fit`.

    One iteration is one epoch: every image once, or every identity as often. The next
    iteration is the next epoch, in another order and with other augmentations, so
    `fit(batches, epochs=20)` needs nothing else.

    Args:
        dataset: `ReIDDataset`. Its training images.
        system: `System`. Says which batches it takes, which inputs and which targets.
        batch_size: int. Images in a batch, two per pair; with identities, 4 images
            each. Not used beside `batches`.
        batches: component, or None for the sampler that the system wants, of
            `batch_size` images.
        augment: components in the order of application; by default `flip` and
            `random_erasing`.
        load_size: (int, int), or None for the system's image size. Size to which images
            are resized before they are augmented.
        cache: str. What stays in memory: nothing ("none"), "encoded" files or "decoded"
            images.
        epochs: int >= 1. Length of the training; only samplers whose share of positive
            pairs moves look at it.
        seed: int >= 0. Of order and augmentation.

    Returns:
        tf.data.Dataset of (dict of inputs, dict of targets); its `cardinality()` is the
        steps of an epoch.

    Raises:
        InputError: there are no training images, the batches do not suit the system or
            its triplet loss, the system has another number of identities than the data
            set, a component or an option does not exist, or the data set lacks labels
            that the system learns from.

    Example:
        >>> system = reid_tf.models.baseline(backbone, num_identities=dataset.num_identities)
        >>> system.compile("adam").fit(reid_tf.make_batches(dataset, system), epochs=20)
    """
    if not dataset.train:
        raise InputError(f"There are no training images in the data set {dataset.name!r}. Received: {dataset!r}.")
    component = batches or _default_sampler(system, batch_size)
    _check_identities(system, dataset)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    image_size = system.image_size
    return build_batches(
        dataset.train,
        class_of_identity(dataset.train),
        make_sampler(component, dataset, system, epochs=epochs, seed=seed, replicas=replicas),
        image_size=image_size,
        load_size=load_size,
        augment=[AUGMENTATIONS.build(op, image_size=image_size) for op in augment],
        inputs=system.inputs,
        targets=system.targets,
        seed=seed,
        cache=cache,
        attribute_schema=dataset.attribute_schema,
        epoch_by_epoch=True,
    )


def make_sampler(
    component: Component,
    dataset: ReIDDataset,
    system: System,
    *,
    epochs: int,
    seed: int,
    replicas: int,
    compared_globally: bool = False,
) -> Sampler:
    """Makes the sampler of a training and checks that the system can learn from its batches.

    Args:
        component: component of `SAMPLERS`.
        dataset: `ReIDDataset`. Its training images.
        system: `System`.
        epochs: int. Length of the training.
        seed: int >= 0. Of the order.
        replicas: int. Over which a batch is divided.
        compared_globally: bool. Whether losses compare the images of all replicas, and
            not those of each share.

    Returns:
        `Sampler`.

    Raises:
        InputError: the batches do not suit the system or its triplet loss, or an option
            is wrong.
    """
    SAMPLERS.options(component)
    system.check_batches(component["name"])
    classes = class_of_identity(dataset.train)
    identities = np.array([classes[record.identity] for record in dataset.train])
    sampler: Sampler = SAMPLERS.build(
        component,
        identities=identities,
        cameras=[record.camera for record in dataset.train],
        sources=[dataset.source_of(record) for record in dataset.train],
        epochs=epochs,
        seed=seed,
        replicas=replicas,
    )
    if any(compares_images(loss) for loss in system.losses.values()):
        _check_triplets(sampler, identities, 1 if compared_globally else replicas, component)
    return sampler


def tells_training_people(system: System, output: str) -> bool:
    """Says whether an output is a softmax over the training people.

    Args:
        system: `System`.
        output: str. One of its outputs.
    """
    return output.startswith("identity") and system.targets[output].startswith("identity")


def _default_sampler(system: System, batch_size: int) -> dict[str, Any]:
    """The sampler that a system wants, of so many images."""
    images_per_identity = 4
    if system.batches in ("images", "pairs"):
        per_row = 2 if system.batches == "pairs" else 1
        return {"name": system.batches, "batch_size": batch_size // per_row}
    return {"name": system.batches, "identities_per_batch": batch_size // images_per_identity}


def _check_identities(system: System, dataset: ReIDDataset) -> None:
    """Refuses a softmax over another number of people than there are: its labels would be out of range, or unused."""
    for output in system.targets:
        classes = system.model.output[output].shape[-1]
        if tells_training_people(system, output) and classes != dataset.num_identities:
            raise InputError(
                f"The data set {dataset.name!r} has {dataset.num_identities} people to learn from, and the output "
                f"{output!r} has {classes} classes: build the model with num_identities={dataset.num_identities}. "
                f"Received: {dataset!r}."
            )


def _check_triplets(sampler: Sampler, identities: np.ndarray, replicas: int, batches: Mapping[str, Any]) -> None:
    """Raises an `InputError` where no replica's share of the first batch holds a triplet: the loss would stay 0."""
    indices = next(sampler.epoch(0)).reshape(replicas, -1)
    for images, shown in zip(indices, identities[indices], strict=True):
        distinct = len(np.unique(shown))
        if distinct < 2 or len(np.unique(images)) == distinct:
            raise InputError(
                "A loss among the images of a batch needs two identities, and two images of one of them, in each "
                f"replica's share of a batch. Received: {dict(batches)!r} on {replicas} replicas."
            )
