"""A configuration with everything it names built: data, model, batches, optimizer."""

import dataclasses
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from reid_tf.config import ExperimentConfig
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.readers.hdf5 import refuse_other_files
from reid_tf.datasets.record import ReIDDataset, class_of_identity
from reid_tf.datasets.summary import summarise
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError, one_line
from reid_tf.losses.across_replicas import AcrossReplicas, compares_images
from reid_tf.models.system import System
from reid_tf.pipeline.build import build_batches
from reid_tf.pipeline.samplers.sampler import Sampler
from reid_tf.registry import AUGMENTATIONS, BACKBONES, MODELS, OPTIMIZERS, SCHEDULES, VALIDATIONS, import_components
from reid_tf.training.batches import make_sampler
from reid_tf.training.begin_from import begin_from
from reid_tf.training.teacher import Teacher, teacher_of
from reid_tf.training.workers import Workers, WorkersModel, each_its_share

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What `build_experiment` makes of a configuration.

    Args:
        config: `ExperimentConfig`.
        dataset: `ReIDDataset`. As loaded; its query and gallery are the test set.
        training: `ReIDDataset`. The images to learn from and, where validation is
            wanted, its query and gallery.
        system: `System`. With the configuration's loss weights.
        sampler: `Sampler`. Of the first stage.
        steps_per_epoch: int. Of the first stage.
        backbone: keras.Models. The backbone, and the copies of its parts that the model
            holds.
        pretrained: variables that came from a weights file of the backbone's, or from
            another run.
        replicas: int. Over which a batch is divided.
        teacher: `Teacher`, or None where no loss is a distillation.
        strategy: tf.distribute.Strategy under whose scope the model was built.
        workers: `Workers` that train it together, or None.
    """

    config: ExperimentConfig
    dataset: ReIDDataset
    training: ReIDDataset
    system: System
    sampler: Sampler
    steps_per_epoch: int
    backbone: tuple[keras.Model, ...]
    pretrained: tuple[keras.Variable, ...]
    replicas: int = 1
    teacher: Teacher | None = None
    strategy: tf.distribute.Strategy | None = None
    workers: Workers | None = None

    def in_stages(self) -> "list[Experiment]":
        """Returns the experiment of each stage of the training, all on the same data and weights; one stage is itself.

        Raises:
            InputError: a stage's sampler does not suit the model, a loss weight names
                no output, or more steps are wanted than an epoch has.
        """
        if not self.config.stages:
            return [self]
        return [self._of_stage(config) for config in self.config.in_stages()]

    def _of_stage(self, config: ExperimentConfig) -> "Experiment":
        system = self.system.with_loss_weights(config.loss_weights)
        sampler, steps = _sampler_and_steps(config, self.training, system, self.replicas)
        return dataclasses.replace(self, config=config, system=system, sampler=sampler, steps_per_epoch=steps)

    def batches(self, first_epoch: int = 0, first_step: int = 0) -> tf.data.Dataset:
        """Returns the training batches, (inputs, targets), from a step of an epoch to the last one."""
        config = self.config
        if self.workers and self.strategy:
            return each_its_share(self.workers, self.strategy, lambda: self._batches(first_epoch, first_step, None))
        return self._batches(first_epoch, first_step, config.epochs)

    def _batches(self, first_epoch: int, first_step: int, epochs: int | None) -> tf.data.Dataset:
        config = self.config
        return build_batches(
            self.training.train,
            class_of_identity(self.training.train),
            self.sampler,
            image_size=config.image_size,
            load_size=config.load_size or config.image_size,
            augment=[AUGMENTATIONS.build(op, image_size=config.image_size) for op in config.augment],
            inputs=self.system.inputs,
            targets=self.system.targets,
            seed=config.seed,
            cache=config.cache,
            first_epoch=first_epoch,
            first_step=first_step,
            epochs=epochs,
            steps_per_epoch=self.steps_per_epoch,
            attribute_schema=self.training.attribute_schema,
            teacher=None if self.teacher is None else self.teacher.vectors(self.training.train),
        )

    def compile(self) -> keras.Model:
        """Returns the system's model, compiled with the configuration's optimizer and schedule."""
        make_schedule = partial(
            SCHEDULES.build,
            self.config.schedule,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.config.epochs,
        )
        frozen_steps = self.config.freeze_backbone_epochs * self.steps_per_epoch
        system = across_replicas(self.system) if self.config.global_triplets else self.system
        return system.compile(
            OPTIMIZERS.build(
                self.config.optimizer,
                make_schedule=lambda learning_rate: make_schedule(learning_rate=learning_rate),
                pretrained=self.pretrained,
                frozen=_trainable(self.backbone) if frozen_steps else (),
                frozen_steps=frozen_steps,
            ),
            jit_compile=self.config.xla,
        )

    def make_metrics(self, model: keras.Model, batches: tf.data.Dataset) -> None:
        """Has a model make the variables of its metrics, which it would do in its first step: too late to restore them.

        Args:
            model: keras.Model, as `compile()` returns it.
            batches: tf.data.Dataset, as `batches()` returns it.
        """
        if self.strategy not in (None, tf.distribute.get_strategy()):  # Keras makes them before the first step
            return
        inputs, targets = next(iter(batches.take(1)))
        outputs = model(inputs, training=False)
        model.compute_loss(inputs, targets, outputs, training=False)
        model.compute_metrics(inputs, targets, outputs)

    def encoder(self) -> Encoder:
        """Returns the system's encoder, which shares its weights with the model in training."""
        return Encoder(self.system, flip=self.config.evaluation.flip)


def build_experiment(
    config: ExperimentConfig, strategy: tf.distribute.Strategy | None = None, workers: Workers | None = None
) -> Experiment:
    """Loads the data and builds the model of a configuration; no image is read.

    Args:
        config: `ExperimentConfig`.
        strategy: tf.distribute.Strategy under whose scope the model is built, or None
            for the current one.
        workers: `Workers` whose strategy it is, or None where this process works alone.

    Returns:
        `Experiment`.

    Raises:
        InputError: the data set is missing or empty, the sampler does not suit the
            model or its triplet loss, a loss weight names no output, the image size is
            too small for the backbone, more steps are wanted than an epoch has, the
            backbone is to be frozen and there is nothing else to learn, or weights to
            begin with cannot be had or do not fit.
    """
    import_components(config.imports)  # a process of its own has not read the configuration's file
    strategy = strategy or tf.distribute.get_strategy()
    keras.utils.set_random_seed(config.seed)
    dataset = load_dataset(**config.dataset)
    for split in ("train", "query", "gallery"):
        if not getattr(dataset, split):
            raise InputError(f"The data set {dataset.name!r} has no {split} images: it holds {summarise(dataset)}.")
    validation = config.evaluation.validation
    training = VALIDATIONS.build(validation, dataset=dataset) if validation else dataset
    logger.info("data set %s: %s", dataset.name, summarise(dataset))
    if validation:
        logger.info("after the validation split %s: %s", validation, summarise(training))
    with strategy.scope():
        backbone = BACKBONES.build(config.backbone, image_size=config.image_size)
        system = MODELS.build(
            config.model,
            backbone=backbone,
            num_identities=training.num_identities,
            attribute_schema=training.attribute_schema,
        ).with_loss_weights(config.loss_weights)
        if workers:
            model = WorkersModel(system.model.input, system.model.output, name=system.model.name)
            system = dataclasses.replace(system, model=model)
    if config.sync_batch_norm:
        synchronize_batch_normalization(system.model)
    if config.initial_weights:
        _load_initial_weights(system.model, config.initial_weights)
    parts = (backbone, *system.backbone_copies)
    pretrained = _trainable(parts) if config.backbone.get("weights") else ()
    if config.begin_from:
        taken = begin_from(system, parts, config.begin_from)
        pretrained = tuple(variable for variable in taken.variables if variable.trainable)
        logger.info("%s", taken.table())
    if config.freeze_backbone_epochs:
        _check_something_learns(system.model, parts, config.freeze_backbone_epochs)
        if not (config.backbone.get("weights") or config.initial_weights or config.begin_from):
            logger.warning("the backbone that freeze_backbone_epochs leaves alone has random weights")
    replicas = strategy.num_replicas_in_sync
    sampler, steps = _sampler_and_steps(config.in_stages()[0], training, system, replicas)
    teacher = teacher_of(system, training)
    return Experiment(
        config, dataset, training, system, sampler, steps, parts, pretrained, replicas, teacher, strategy, workers
    )


def across_replicas(system: System) -> System:
    """Returns a system whose losses among the images of a batch compare those of all replicas.

    Args:
        system: `System`.
    """
    losses = {output: AcrossReplicas(loss) if compares_images(loss) else loss for output, loss in system.losses.items()}
    return dataclasses.replace(system, losses=losses)


def synchronize_batch_normalization(model: keras.Model) -> None:
    """Has the batch normalisations of a model use the statistics of all replicas' shares together.

    Args:
        model: keras.Model.
    """
    for layer in model.layers:
        for part in (layer, *vars(layer).values()):  # some layers hold one
            if isinstance(part, keras.Model):
                synchronize_batch_normalization(part)
            elif isinstance(part, keras.layers.BatchNormalization):
                part.synchronized = True


def _trainable(parts: Sequence[keras.Model]) -> tuple[keras.Variable, ...]:
    return tuple(variable for part in parts for variable in part.trainable_variables)


def _check_something_learns(model: keras.Model, backbone: Sequence[keras.Model], epochs: int) -> None:
    frozen = {id(variable) for variable in _trainable(backbone)}
    if all(id(variable) in frozen for variable in model.trainable_variables):
        raise InputError(
            f"The model {model.name!r} has no weights but the backbone's, and nothing learns while that is frozen. "
            f"Received: freeze_backbone_epochs={epochs}."
        )


def _sampler_and_steps(
    config: ExperimentConfig, training: ReIDDataset, system: System, replicas: int
) -> tuple[Sampler, int]:
    """Returns a stage's sampler and how many of its batches are an epoch."""
    sampler = make_sampler(
        config.batches,
        training,
        system,
        epochs=config.epochs,
        seed=config.seed,
        replicas=replicas,
        compared_globally=config.global_triplets,
    )
    steps = config.steps_per_epoch or len(sampler)
    if steps > len(sampler):
        raise InputError(f"steps_per_epoch must be at most {len(sampler)}, one pass of the sampler. Received: {steps}.")
    return sampler, steps


def _load_initial_weights(model: keras.Model, path: str) -> None:
    if not Path(path).is_file():
        raise InputError(f"There is no file of initial weights {path!r}.")
    refuse_other_files(path)
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = one_line(error, 300).rstrip(".")  # Keras goes on with the values of the variable
        raise InputError(f"The initial weights {path!r} are not those of this model: {reason}.") from error
