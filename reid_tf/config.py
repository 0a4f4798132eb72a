"""An experiment as one typed object: read from YAML, overridden from the command line, checked before anything runs."""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf

from reid_tf import registry
from reid_tf.config_file import apply_override, read_with_bases
from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.options import FINITE, Count, NotNegative, Whole, Within, convert, unknown

Protocol = Literal["market1501", "single_camera", "cuhk03_single_shot"]


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """How encoders are evaluated, while training and after it.

    Args:
        validation: component or None. The split that `val_mAP` and the best checkpoint
            come from: `{name: held_out,
            share: 0.1}` keeps training identities back, `{name: test}` uses the data
                set's own query and gallery.
        every: int >= 1, or None for 5. Epochs between two validations.
        keep: str. Which weights a run with validation ends with: the "best" epoch's, by
            `val_mAP`, or the "last" one's. Without validation on images of its own
            (None, or the test set) it is always the last one's: choosing an epoch by
            the test set would flatter the figure.
        protocol: str. Which gallery images a query ignores ("market1501",
            "single_camera"), or that one image per identity is drawn
            ("cuhk03_single_shot").
        validation_protocols: protocols of the validation, or () for `protocol`. The
            first gives `val_mAP`, which the best epoch is chosen by; the names of the
            others' values end in the protocol's name.
        flip: bool. Whether an embedding is the mean over an image and its mirror image.
        batch_size: int >= 1. Images embedded at once.
        ranked_lists: int >= 1. Queries in the picture of ranked lists.
        rerank: bool. Whether the report of the finished run also ranks by k-reciprocal
            neighbours (`reid_tf.retrieval.Reranking`, with its own defaults).
    """

    __pydantic_config__ = FINITE

    validation: dict[str, Any] | None = None
    every: Count | None = None
    keep: Literal["best", "last"] = "best"
    protocol: Protocol = "market1501"
    validation_protocols: tuple[Protocol, ...] = ()
    flip: bool = False
    batch_size: Count = 64
    ranked_lists: Count = 8
    rerank: bool = False

    @property
    def interval(self) -> int:
        """Epochs between two validations."""
        return 5 if self.every is None else self.every


@dataclasses.dataclass(frozen=True)
class StageConfig:
    """One of several stages of a training; what it does not name is as in the whole experiment.

    Weights go on from one stage to the next; optimizer, schedule and the sampler's
    order begin anew.

    Args:
        name: str. For overrides (`stages.joint.share=0.3`) and the log.
        share: float in (0, 1]. Part of the experiment's epochs; the shares of all
            stages add up to 1.
        batches: component or None.
        optimizer: component or None.
        schedule: component or None.
        augment: components or None.
        loss_weights: mapping from output to float, or None.
    """

    __pydantic_config__ = FINITE

    name: str
    share: float
    batches: dict[str, Any] | None = None
    optimizer: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    augment: tuple[dict[str, Any], ...] | None = None
    loss_weights: dict[str, NotNegative] | None = None


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """The whole recipe of one experiment; components are mappings `{name: ..., option: value}`.

    Args:
        dataset: component. The data set, with `root` for the folder that holds it.
        image_size: (int, int). Height and width of the images that the model takes.
        backbone: component.
        model: component.
        batches: component. The sampler; its name must suit the model.
        optimizer: component.
        schedule: component. The learning rate over the epochs.
        epochs: int. Of all stages together.
        loss_weights: mapping from output to float. Outputs left out keep the model's
            own weight.
        stages: tuple of `StageConfig`, one after another, or () for a training of one
            stage.
        initial_weights: str or None. A file of all the model's weights to begin with,
            such as the one that a run keeps of each stage,
            `checkpoints/stage-NAME.weights.h5`.
        begin_from: str or None. A finished run, an export whose run is there, a
            `.keras` file or weights of the backbone, whose weights the model begins
            with as far as they fit; the log has a table of what does not.
        load_size: (int, int) or None. Size to which images are resized before
            augmentation; None = image_size.
        augment: components in the order of application.
        freeze_backbone_epochs: int >= 0. Epochs at the start in which the backbone
            stays as it is, weights and normalisation statistics, while what is built on
            it learns; of a training in stages, epochs of the first one.
        steps_per_epoch: int or None. Batches per epoch; None = one pass of the sampler.
        precision: str. "float32", "mixed_float16" or "mixed_bfloat16".
        xla: bool. Whether the training step is compiled with XLA.
        sync_batch_norm: bool. Whether batch normalisation uses the statistics of the
            whole batch, also where several replicas divide it; else each uses those of
            its share.
        global_triplets: bool. Whether losses among the images of a batch, such as
            triplets, compare those of all replicas; else each those of its share.
        cache: str. What stays in memory: nothing, encoded files or decoded images.
        evaluation: `EvaluationConfig`.
        callbacks: components. Keras callbacks of your own that watch every stage.
        imports: tuple of str. Modules that register components of your own, see
            `registry.import_components`.
        seed: int from 0 to 2^32 - 1. Of weights, order and augmentation.
    """

    __pydantic_config__ = FINITE

    dataset: dict[str, Any]
    image_size: tuple[Count, Count]
    backbone: dict[str, Any]
    model: dict[str, Any]
    batches: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    epochs: Count
    loss_weights: dict[str, NotNegative] = dataclasses.field(default_factory=dict)
    stages: tuple[StageConfig, ...] = ()
    initial_weights: str | None = None
    begin_from: str | None = None
    load_size: tuple[Count, Count] | None = None
    augment: tuple[dict[str, Any], ...] = ()
    freeze_backbone_epochs: Whole = 0
    steps_per_epoch: Count | None = None
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    xla: bool = False
    sync_batch_norm: bool = False
    global_triplets: bool = False
    cache: Literal["none", "encoded", "decoded"] = "none"
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    callbacks: tuple[dict[str, Any], ...] = ()
    imports: tuple[str, ...] = ()
    seed: Annotated[int, Within(0, 2**32 - 1)] = 1

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe as plain dictionaries, lists and values, equal for equal recipes."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain

    def differing_key(self, other: "ExperimentConfig") -> str | None:
        """Returns the first key whose values differ in another recipe, or None where the recipes are equal.

        Two spellings of the path of one file are equal, and where the data set lies does
        not count: a hash tells whether data are the same.
        """
        mine, others = self.compared(), other.compared()
        return next((key for key in mine if mine[key] != others[key]), None)

    def compared(self) -> dict[str, Any]:
        """Returns what `differing_key` compares, as plain values."""
        dataset = {key: value for key, value in self.dataset.items() if key != "root"}
        compared: dict[str, Any] = _plain(
            dataclasses.asdict(dataclasses.replace(self, dataset=dataset)), real_paths=True
        )
        return compared

    def in_stages(self) -> "tuple[ExperimentConfig, ...]":
        """Returns the recipe of each stage, without stages of its own; the whole recipe where there is one stage.

        Raises:
            InputError: two stages have one name, a name does not suit a file, the
                shares do not add up to 1, or a stage would get no epoch.
        """
        if not self.stages:
            return (self,)
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or not all(re.fullmatch(r"[\w-]+", name) for name in names):
            raise InputError(
                f"The names of stages must differ and use only letters, digits, _ and -. Received: {names}."
            )
        ends = [sum(stage.share for stage in self.stages[: count + 1]) for count in range(len(self.stages))]
        if min(stage.share for stage in self.stages) <= 0 or abs(ends[-1] - 1.0) > 1e-6:
            shares = {stage.name: stage.share for stage in self.stages}
            raise InputError(f"The shares of the stages must be above 0 and add up to 1. Received: {shares}.")
        recipes, done = [], 0
        for number, (stage, end) in enumerate(zip(self.stages, ends, strict=True)):
            epochs = round(end * self.epochs) - done
            if epochs < 1:
                raise InputError(
                    f"The stage {stage.name!r} must get at least one epoch. Received: a share of {stage.share} of "
                    f"{self.epochs} epochs."
                )
            given = {field.name: getattr(stage, field.name) for field in dataclasses.fields(stage)}
            changed = {key: value for key, value in given.items() if key not in ("name", "share") and value is not None}
            # Another seed, or every stage would see the same images in the same order.
            changed["seed"] = (self.seed + number) % 2**32
            if number > 0:
                changed["freeze_backbone_epochs"] = 0
            recipes.append(dataclasses.replace(self, epochs=epochs, stages=(), **changed))
            done += epochs
        return tuple(recipes)

    def components(self) -> list[tuple[registry.Registry, dict[str, Any]]]:
        """Returns every component of the recipe with the registry that knows its name."""
        dataset = {key: value for key, value in self.dataset.items() if key != "root"}
        single = [
            (registry.DATASETS, dataset),
            (registry.BACKBONES, self.backbone),
            (registry.MODELS, self.model),
            (registry.SAMPLERS, self.batches),
            (registry.OPTIMIZERS, self.optimizer),
            (registry.SCHEDULES, self.schedule),
        ]
        if self.evaluation.validation is not None:
            single.append((registry.VALIDATIONS, self.evaluation.validation))
        single += [(registry.AUGMENTATIONS, component) for component in self.augment]
        single += [(registry.CALLBACKS, component) for component in self.callbacks]
        return single + [part for stage in self.in_stages() if stage is not self for part in stage.components()]


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Reads an experiment file, applies overrides and checks every name and option.

    A file may begin from another one, `base: other.yaml` (a path from its own folder),
    and then says what differs: its keys are laid over those of the base, mappings key
    by key. A component of another name drops the options of the old one, a list
    replaces a list, and an empty mapping takes away what the base has there.

    Args:
        path: str or Path. A YAML file with the fields of `ExperimentConfig`.
        overrides: "key.path=value" strings, applied in order. A part of the path may be
            the name of a component in a list
            ("augment.random_erasing.probability=0.3"). Giving a component another name
            drops the options that belonged to the old one.

    Returns:
        The checked `ExperimentConfig`.

    Raises:
        InputError: the file or its base is missing or not a YAML mapping, the bases
            form a circle, or a key, name, option or value is wrong.
    """
    tree = read_with_bases(Path(path))
    for override in overrides:
        apply_override(tree, override)
    return parse_config(tree)


def parse_config(tree: Any) -> ExperimentConfig:
    """Turns plain mappings and lists into a checked `ExperimentConfig`.

    Args:
        tree: mapping with the fields of `ExperimentConfig`.

    Returns:
        The checked `ExperimentConfig`, every option converted to its annotated type.

    Raises:
        InputError: a key, name, option or value is wrong, or a required key is missing.
    """
    check_keys(tree, ExperimentConfig, "the configuration")
    if tree.get("evaluation") is not None:
        check_keys(tree["evaluation"], EvaluationConfig, "the configuration's 'evaluation'")
    stages = tree.get("stages") or ()
    if not isinstance(stages, Sequence) or isinstance(stages, str):
        raise InputError(f"The configuration's 'stages' must be a list. Received: {stages!r}.")
    for stage in stages:
        check_keys(stage, StageConfig, "a stage of the configuration")
    config: ExperimentConfig = convert(dict(tree), ExperimentConfig, "The configuration")
    registry.import_components(config.imports)
    for table, component in config.components():
        table.options(component)
    if config.begin_from and config.initial_weights:
        raise InputError(
            f"A training begins with all weights of a file or with those of another run that fit: give initial_weights "
            f"or begin_from. Received: {config.initial_weights!r} and {config.begin_from!r}."
        )
    first = config.in_stages()[0].epochs
    if config.freeze_backbone_epochs > first:
        which = "first stage" if config.stages else "run"
        raise InputError(
            f"'freeze_backbone_epochs' must be between 0 and {first}, the epochs of the {which}. "
            f"Received: {config.freeze_backbone_epochs}."
        )
    return config


def check_new_run(config: ExperimentConfig) -> None:
    """Refuses what a run may not begin with, though the configurations of older runs may have it.

    Args:
        config: `ExperimentConfig`.

    Raises:
        InputError: validations are spaced, and there are none, or a warm-up is longer
            than the training or the stage that it begins.
    """
    for stage in config.in_stages():
        warmup = stage.schedule.get("warmup_epochs", 0)
        if warmup > stage.epochs:
            raise InputError(
                f"'schedule.warmup_epochs' must be at most {stage.epochs}, the epochs that it is a part of. "
                f"Received: {warmup}."
            )
    if config.evaluation.every is not None and config.evaluation.validation is None:
        raise InputError(
            "'evaluation.every' does nothing without 'evaluation.validation': leave it out (evaluation.every=null), or "
            f"validate, for example evaluation.validation.name=held_out. Received: every={config.evaluation.every}."
        )


def save_config(config: ExperimentConfig, path: str | Path) -> None:
    """Writes a configuration as YAML that `load_config` reads back to an equal one."""
    with written_beside(path) as beside:
        OmegaConf.save(OmegaConf.create(config.to_dict()), beside)


def check_keys(tree: Any, cls: type, what: str) -> None:
    """Raises an `InputError` where a mapping has a key that a dataclass lacks, or lacks a field without a default."""
    if not isinstance(tree, Mapping):
        raise InputError(f"{what[0].upper()}{what[1:]} must be a mapping of keys to values. Received: {tree!r}.")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in tree:
        if key not in fields:
            raise InputError(unknown(f"key of {what}", key, fields))
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in tree:
            raise InputError(f"{what[0].upper()}{what[1:]} lacks the key {name!r}. Received: {', '.join(tree)}.")


def _plain(tree: Any, real_paths: bool = False) -> Any:
    if isinstance(tree, Mapping):
        return {key: _plain(value, real_paths) for key, value in tree.items()}
    if isinstance(tree, Iterable) and not isinstance(tree, str):
        return [_plain(value, real_paths) for value in tree]
    if real_paths and isinstance(tree, str) and os.sep in tree and os.path.exists(tree):
        return os.path.realpath(tree)
    return tree
