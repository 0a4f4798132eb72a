"""Records -> batches: sampling, reading, decoding, augmenting and labelling as one tf.data pipeline."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.pipeline.augment.augmentation import Augmentation, Batch, augment_batch
from reid_tf.pipeline.decode import ImageSize
from reid_tf.pipeline.labels import Labels
from reid_tf.pipeline.python_calls import CALLS
from reid_tf.pipeline.samplers.sampler import Sampler
from reid_tf.pipeline.sources import Cache, image_source
from reid_tf.pose.fields import as_inputs, check_fields, landmark_table, mirrored, need_landmarks
from reid_tf.pose.part_boxes import log_regions


def build_batches(
    records: Sequence[Record],
    class_of_identity: Mapping[int, int],
    sampler: Sampler,
    *,
    image_size: ImageSize,
    load_size: ImageSize | None = None,
    augment: Sequence[Augmentation] = (),
    inputs: Mapping[str, str],
    targets: Mapping[str, str],
    seed: int,
    cache: Cache = "none",
    first_epoch: int = 0,
    first_step: int = 0,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    attribute_schema: AttributeSchema | None = None,
    teacher: np.ndarray | None = None,
    epoch_by_epoch: bool = False,
) -> tf.data.Dataset:
    """Makes the stream of training batches, epoch after epoch.

    Order and pixels depend on the seeds, the epoch and the step alone: not on the
    cache, the number of cores, or whether the training was interrupted. Both images of
    a pair are augmented in one batch, each by numbers of its own. An image that cannot
    be read stops the stream with TensorFlow's error; `naming_broken_images` finds out
    which one it was.

    Args:
        records: sequence of `Record`. What the sampler's indices mean.
        class_of_identity: mapping from identity to class index.
        sampler: `Sampler`. Whether batches are images or pairs, and of which images.
        image_size: (int, int). Height and width that the model takes.
        load_size: (int, int), or None for `image_size`. Height and width before
            augmentation.
        augment: sequence of `Augmentation`, in the order of application.
        inputs: mapping from input name to "image" (float32 [batch, *image_size, 3],
            0..255), "landmarks" (float32 [batch, 18, 3]) or "part_boxes" (float32
            [batch, 3, 4], of the landmarks as augmentation moved them). Batches of
            pairs have each twice, with `_a` and `_b` at the end of the name.
        targets: mapping from output name to label, see `Labels`.
        seed: int >= 0. Of the augmentation.
        cache: str. What stays in memory: "none", "encoded" files or "decoded" images.
        first_epoch: int. Where the stream begins.
        first_step: int. Batches of that epoch that are left out.
        epochs: int, or None. Where it ends, so that nothing is drawn ahead that nobody
            wants; None never ends it.
        steps_per_epoch: int, or None. The first so many batches of each of the
            sampler's epochs; None takes all.
        attribute_schema: `AttributeSchema`, needed where attributes are targets.
        teacher: float [records, dim], needed where a teacher's vectors are a target.
        epoch_by_epoch: bool. Whether every new iteration over the data set gives the
            next epoch alone, as `fit` expects that is not told the steps per epoch;
            else one iteration gives all of them.

    Returns:
        tf.data.Dataset of (dict of inputs, dict of targets), of known cardinality where
        it begins with an epoch. Shapes are static but for the batch axis.

    Raises:
        InputError: an input or a label does not exist or the records lack it, the
            augmented images do not have the image size, an epoch has fewer steps than
            wanted, or a file that is to be kept in memory cannot be read.
    """
    if steps_per_epoch is not None and not 1 <= steps_per_epoch <= len(sampler):
        raise InputError(
            f"steps_per_epoch must lie between 1 and the sampler's {len(sampler)} batches. Received: {steps_per_epoch}."
        )
    check_fields(inputs)
    labels = Labels(records, class_of_identity, targets, sampler.kind, attribute_schema, teacher)
    fields = {}
    if labels.need_landmarks or need_landmarks(inputs.values()):
        table = landmark_table(records)
        if "part_boxes" in inputs.values():
            log_regions(table)
        with tf.device("CPU:0"):
            fields["landmarks"] = tf.constant(table)
    images = image_source([record.path for record in records], load_size or image_size, cache)

    @tf.autograph.experimental.do_not_convert
    def make(indices: tf.Tensor, batch_seed: tf.Tensor) -> tuple[Batch, Batch]:
        flat = tf.reshape(tf.transpose(indices), [-1])  # of pairs: all first images, then all second ones
        batch = {name: tf.gather(table, flat) for name, table in fields.items()}
        batch = augment_batch(augment, {**batch, "image": tf.cast(images(flat), tf.float32)}, batch_seed)
        _check_size(batch["image"], image_size)
        return _named(as_inputs(batch, inputs), sampler.kind), labels(indices, batch.get("landmarks"))

    signature = (
        tf.TensorSpec([None] if sampler.kind == "images" else [None, 2], tf.int64),
        tf.TensorSpec([2], tf.int32),
    )
    following = itertools.count(first_epoch)

    def numbers() -> Iterable[int]:
        if epoch_by_epoch:
            return [next(following)]
        return itertools.count(first_epoch) if epochs is None else range(first_epoch, epochs)

    stream = CALLS.stream(
        lambda: itertools.islice(_indices_and_seeds(sampler, seed, numbers(), steps_per_epoch), first_step, None)
    )
    dataset = tf.data.Dataset.from_generator(stream, output_signature=signature)
    dataset = dataset.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    steps = steps_per_epoch or len(sampler)
    batches = tf.data.INFINITE_CARDINALITY if epochs is None else max(0, epochs - first_epoch) * steps
    if epoch_by_epoch:
        batches = steps
    if not first_step:  # of an epoch that goes on, `fit` counts the steps that it passes over too
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches))
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(_options())


def evaluation_batches(records: Sequence[Record], image_size: ImageSize, batch_size: int) -> tf.data.Dataset:
    """Makes the stream of all images once, in order and as they are, for embedding.

    An image that cannot be read stops the stream with TensorFlow's error;
    `naming_broken_images` finds out which one it was.

    Args:
        records: sequence of `Record`.
        image_size: (int, int). Height and width that images are resized to.
        batch_size: int. Images per batch; the last one may be smaller.

    Returns:
        tf.data.Dataset of uint8 [batch, *image_size, 3], of known cardinality.

    Raises:
        InputError: the batch size is no whole number of at least 1.
    """
    batch_size = whole_number("batch_size", batch_size)
    images = image_source([record.path for record in records], image_size)
    dataset = tf.data.Dataset.range(len(records)).batch(batch_size)
    dataset = dataset.map(images, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(_options())


def input_batches(
    records: Sequence[Record],
    inputs: Mapping[str, str],
    image_size: ImageSize,
    batch_size: int,
    mirror: bool = False,
) -> tf.data.Dataset:
    """Makes the stream of an encoder's inputs, once and in order: `evaluation_batches` and what else it takes.

    Args:
        records: sequence of `Record`.
        inputs: mapping from input name to record field, as in `build_batches`.
        image_size: (int, int). Height and width that images are resized to.
        batch_size: int. Images per batch; the last one may be smaller.
        mirror: bool. Whether left and right are exchanged.

    Returns:
        tf.data.Dataset of dict from input name to tensor, of known cardinality.

    Raises:
        InputError: an input's field does not exist or a record lacks it, or the batch
            size is below 1.
    """
    check_fields(inputs)
    batches = evaluation_batches(records, image_size, batch_size).map(lambda images: {"image": images})
    if need_landmarks(inputs.values()):
        landmarks = tf.data.Dataset.from_tensor_slices(landmark_table(records)).batch(batch_size)
        batches = tf.data.Dataset.zip(batches, landmarks).map(lambda batch, points: {**batch, "landmarks": points})
    return batches.map(lambda batch: as_inputs(mirrored(batch) if mirror else batch, inputs))


def _indices_and_seeds(
    sampler: Sampler, seed: int, epochs: Iterable[int], steps: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for epoch in epochs:
        for step, indices in enumerate(itertools.islice(sampler.epoch(epoch), steps)):
            yield indices, np.random.SeedSequence((seed, epoch, step)).generate_state(2).view(np.int32)


def _named(inputs: Batch, kind: str) -> Batch:
    """The inputs of single images as they are, those of pairs for either side."""
    if kind == "images":
        return inputs
    return {
        f"{name}_{side}": part
        for name, both in inputs.items()
        for side, part in zip(("a", "b"), tf.split(both, 2), strict=True)
    }


def _check_size(images: tf.Tensor, image_size: ImageSize) -> None:
    size = tuple(images.shape[1:3])
    if size != tuple(image_size):
        raise InputError(
            f"The images are {size} after augmentation, but the model takes {tuple(image_size)}; random_crop cuts "
            "images of another load_size to the image size."
        )


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # The generator cannot be divided over workers by files, and a batch is meant to be divided over replicas whole.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
