"""Whether each recipe of the papers learns: narrow twins of the full configurations on synthetic people.

A twin has the losses, sampler, optimizer, rate and shape of schedule of its
configuration, a quarter of the channels and small images. Where the configuration
begins with pre-trained weights, so does the twin: those of the same narrow network after
a training on other synthetic people. It is to rank people whom it never saw better than
before its training, and better than colours alone.
"""

import argparse
import dataclasses
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reid_tf.commands.command_line import find_config
from reid_tf.config import EvaluationConfig, ExperimentConfig, StageConfig, load_config
from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.report.table import table_head, table_row

# The twins and their epochs: what fits into three minutes on two cores.
EPOCHS = {
    "baseline_caffenet_market1501": 10,
    "baseline_resnet50_market1501": 24,
    "baseline_vgg16_market1501": 4,
    "verification_resnet50_market1501": 12,
    "multitask_caffenet_market1501": 10,
    "multitask_vgg16_market1501": 4,
    "multitask_resnet50_market1501": 12,
    "multitask_resnet50_warmup_market1501": 24,
    "multitask_resnet101_market1501": 10,
    "multitask_res2net50_market1501": 14,
    "multitask_res2net101_market1501": 8,
    "multitask_five_resnet50_market1501": 12,
    "identification_alexnet_market1501": 12,
    "siamese_alexnet_market1501": 18,
    "triplet_alexnet_market1501": 6,
    "sharenet5_alexnet_towncentre": 6,
    "sharenet6_alexnet_towncentre": 6,
    "sharenet7_alexnet_market1501": 6,
    "triplet_resnet50_market1501": 20,
    "sharenet7_resnet50_market1501": 20,
    "joint_loss_baseline_market1501": 24,
    "joint_loss_parts_market1501": 18,
    "joint_loss_triplet_market1501": 24,
    "joint_loss_market1501": 18,
    "attribute_resnet50_market1501": 20,
}
WEIGHTS = "backbone.weights.h5"


@dataclasses.dataclass(frozen=True)
class Quarter:
    """How a network gets a quarter of its channels, its images, and how it is pre-trained.

    Args:
        options: mapping. Of the backbone.
        image_size: (height, width) in pixels.
        pretraining: str. The configuration that trains the network before: one on
            synthetic people, with the rate below, or the twin of another.
        learning_rate: float. AdamW's, of a pre-training on synthetic people.
        epochs: int. Of the pre-training.
    """

    options: Mapping[str, float]
    image_size: tuple[int, int] = (128, 64)
    pretraining: str = "multitask_synthetic"
    learning_rate: float = 5e-4
    epochs: int = 12


# The default run's triplets, with a soft margin on vectors of any length, let the features of deep networks collapse.
DEEP = Quarter({"width": 16}, (64, 32), "multitask_resnet50_market1501_no_erasing")
QUARTERS = {
    "resnet50": Quarter({"width": 16}, (64, 32), learning_rate=3e-3),
    "resnet101": DEEP,
    "res2net50": DEEP,
    "res2net101": DEEP,
    "alexnet": Quarter({"width_multiplier": 0.25}),
    "caffenet": Quarter({"width_multiplier": 0.25}, learning_rate=1e-3),
    # An eighth, and fewer epochs: it enlarges all to 224 x 224.
    "vgg16": Quarter(
        {"width_multiplier": 0.125}, pretraining="multitask_paper_synthetic", learning_rate=1e-3, epochs=6
    ),
    "pose_inception": Quarter({"width": 0.125}, (96, 48)),  # an eighth: it begins with random weights
}
HEADER = ("configuration", "begins with", "epochs", "seconds", "rank-1", "mAP", "mAP before", "colours", "learns")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the names of the configurations to a parser."""
    parser.add_argument("names", nargs="*", metavar="CONFIG", help="configurations of the papers (all of them)")


def main(arguments: argparse.Namespace) -> None:
    """Trains the twins one after another, prints a row of figures for each, and exits with 1 where one did not learn.

    Raises:
        InputError: a name is not one of `EPOCHS`, or a training failed.
    """
    from reid_tf.training.train import train

    for name in arguments.names:
        if name not in EPOCHS:
            raise InputError(unknown("recipe", name, EPOCHS))
    failed = []
    print(table_head(HEADER), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in tqdm(arguments.names or EPOCHS, unit="recipe", disable=None):
            weights = _pretrained(name, Path(folder))
            started, out = time.perf_counter(), Path(folder) / name
            _run(twin(name, weights, EPOCHS[name]), out, train)
            figures = json.loads((out / "metrics.json").read_text())
            if not learns(figures):
                failed.append(name)
            tqdm.write(table_row(_cells(name, weights, time.perf_counter() - started, figures)), file=sys.stdout)
            sys.stdout.flush()
    if failed:
        sys.exit(f"Did not learn: {', '.join(failed)}.")


def twin(name: str, weights: Path | None, epochs: int) -> ExperimentConfig:
    """Returns the narrow twin of a configuration.

    Args:
        name: str. A configuration that comes with the package, on a backbone of
            `QUARTERS`.
        weights: Path or None. What the backbone begins with.
        epochs: int. Its schedules are shortened to them.
    """
    config = load_config(find_config(name))
    height, width = QUARTERS[config.backbone["name"]].image_size
    return dataclasses.replace(
        config,
        dataset={"name": "synthetic"},
        image_size=(height, width),
        load_size=(height * 9 // 8, width * 9 // 8),
        backbone={**_narrow_backbone(config.backbone["name"]), "weights": weights and str(weights)},
        model=_narrow_model(config.model),
        schedule=_shortened(config.schedule, epochs / config.epochs),
        stages=tuple(_shortened_stage(stage, epochs / config.epochs) for stage in config.stages),
        epochs=epochs,
        precision="float32",
        cache="decoded",
        evaluation=EvaluationConfig(batch_size=128),
    )


def _pretrained(name: str, folder: Path) -> Path | None:
    """Where the configuration begins with pre-trained weights: those of its narrow backbone, made at the first call."""
    backbone = load_config(find_config(name)).backbone
    if not backbone.get("weights"):
        return None
    out = folder / backbone["name"]
    if not out.exists():
        _run(_pretraining(backbone["name"]), out, pretrain)
    return out / WEIGHTS


def _pretraining(backbone: str) -> ExperimentConfig:
    quarter = QUARTERS[backbone]
    before = load_config(find_config(quarter.pretraining))
    if before.dataset["name"] == "synthetic":
        before = dataclasses.replace(
            before,
            optimizer={"name": "adamw", "learning_rate": quarter.learning_rate, "weight_decay": 0.1},
            image_size=quarter.image_size,
            epochs=quarter.epochs,
            evaluation=EvaluationConfig(batch_size=128),
        )
    else:
        gently = {"name": "cosine", "warmup_epochs": 1}  # random weights do not stand the full rate at once
        before = dataclasses.replace(twin(quarter.pretraining, None, quarter.epochs), schedule=gently)
    return dataclasses.replace(before, dataset={"name": "synthetic", "seed": 1}, backbone=_narrow_backbone(backbone))


def pretrain(config: ExperimentConfig, run_directory: str, resume: bool) -> None:
    """Trains, and writes the backbone's weights into the finished run directory."""
    import keras

    from reid_tf.training.train import train

    run = train(config, run_directory, resume).run_directory
    encoder = keras.saving.load_model(run / "encoder.keras", compile=False)
    encoder.get_layer(config.backbone["name"]).save_weights(run / WEIGHTS)


def _run(config: ExperimentConfig, out: Path, training: Callable[[ExperimentConfig, str, bool], object]) -> None:
    from reid_tf.studies.own_process import train_in_own_process

    reason = train_in_own_process(config, out, training=training, level=logging.ERROR)  # the table stands alone
    if reason:
        raise InputError(f"The training of {out.name!r} failed: {reason}")


def learns(figures: Mapping[str, Any]) -> bool:
    """Returns whether a run's metrics.json has a better mAP for the trained encoder than for each reference."""
    return all(figures["mAP"] > reference["mAP"] for reference in figures["references"].values())


def _narrow_backbone(name: str) -> dict[str, Any]:
    return {"name": name, **QUARTERS[name].options}


def _narrow_model(model: Mapping[str, Any]) -> dict[str, Any]:
    """A quarter of the dimensions where a model names them; the grids of `joint_loss` are those of smaller maps."""
    dims = {key: model[key] // 4 for key in ("embedding_dim", "feature_dim") if model.get(key)}
    grids = {"grids": ((7, 7), (13, 11), (13, 11))} if model["name"] == "joint_loss" else {}
    return {**model, **dims, **grids}


def _shortened_stage(stage: StageConfig, factor: float) -> StageConfig:
    return dataclasses.replace(stage, schedule=stage.schedule and _shortened(stage.schedule, factor))


def _shortened(schedule: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The same shape over fewer epochs; boundaries that fall together become one."""
    boundaries = sorted({max(1, round(boundary * factor)) for boundary in schedule.get("boundaries", ())})
    shortened = {**schedule, "boundaries": boundaries} if boundaries else dict(schedule)
    if schedule.get("warmup_epochs"):  # of less than half an epoch nothing is left
        shortened["warmup_epochs"] = round(schedule["warmup_epochs"] * factor)
    return shortened


def _cells(name: str, weights: Path | None, seconds: float, figures: Mapping[str, Any]) -> tuple[str, ...]:
    before, colours = (figures["references"][reference] for reference in ("untrained_encoder", "colour_histogram"))
    percents = [f"{100 * value:.1f}" for value in (figures["rank1"], figures["mAP"], before["mAP"], colours["mAP"])]
    start = "random weights" if weights is None else "pre-trained weights"
    return f"`{name}`", start, str(EPOCHS[name]), f"{seconds:.0f}", *percents, "yes" if learns(figures) else "no"
