"""Training from a configuration to a finished run directory."""

import dataclasses
import json
import logging
import time
from pathlib import Path
from typing import Any

import keras

from reid_tf.config import ExperimentConfig, load_config, save_config
from reid_tf.errors import InputError
from reid_tf.files import write_json, written_beside
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.retrieval.attribute_metrics import AttributeMetrics
from reid_tf.training import callbacks, manifest
from reid_tf.training.evaluation import Evaluation, make_evaluation
from reid_tf.training.experiment import Experiment, build_experiment
from reid_tf.training.freezing import FreezeBackbone
from reid_tf.training.log_callbacks import CollapseWarning, CombinedMetrics
from reid_tf.training.run_directory import RunDirectory
from reid_tf.training.strategy import make_strategy, precision

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Args:
        run_directory: Path. Holds configuration, manifest, metrics, history, models, checkpoints, report and logs.
        metrics: dict. Figures on the test set as in metrics.json, by name: "trained_encoder" (of a pose estimator
            "trained_detector") and those of the references: "untrained_encoder", "colour_histogram" ("mean_pose").
        history: list of dict. The logs of each epoch.
        tables: tuple of str. The figures as Markdown tables, beside those of the references.
        attributes: `AttributeMetrics` on the test set, or None where the model predicts no attributes or the data set
            has no labels.
    """

    run_directory: Path
    metrics: dict[str, dict[str, Any]]
    history: list[dict[str, float]]
    tables: tuple[str, ...]
    attributes: AttributeMetrics | None = None


def train(config: ExperimentConfig, run_directory: str | Path, resume: bool = False) -> TrainingResult:
    """Fits a configuration's model, evaluates what stays of it on the test set and writes the run directory.

    Work happens in `run_directory` + ".unfinished"; the folder gets its name when everything is in it. With validation
    by held-out identities the best epoch's weights are kept, otherwise the last one's: choosing an epoch by the test
    set would flatter the figure.

    Args:
        config: `ExperimentConfig`.
        run_directory: str or Path. Must not exist yet.
        resume: bool. Whether to go on with an interrupted run of that name: same data order, same optimizer state.

    Returns:
        `TrainingResult`.

    Raises:
        InputError: something in the configuration or the data is wrong, the loss became NaN, the run directory exists,
            or the run to resume was begun with another configuration.
    """
    started = time.monotonic()
    run = RunDirectory(run_directory, resume)
    if resume:
        _check_same(config, run.path / "config.yaml")
    strategy = make_strategy()
    with precision(config.precision):
        experiment = build_experiment(config, strategy)
        stages = experiment.in_stages()
        evaluation = make_evaluation(experiment)
        run.make()
        save_config(config, run.path / "config.yaml")
        references = _references(evaluation, run)
        checkpoints = callbacks.Checkpoints(run, evaluation.score)
        with strategy.scope():
            for number, stage in enumerate(stages):
                begin = sum(earlier.config.epochs for earlier in stages[:number])
                _fit(stage, begin, evaluation, checkpoints)
                if config.stages:
                    _keep_stage(stage, config.stages[number].name, run)
        if experiment.training is not experiment.dataset:  # validated on other images than the test set
            checkpoints.load_best(_without_optimizer(experiment))
        _save_models(experiment, run)
    judgement = evaluation.judge(references, run)
    write_json(run.path / "metrics.json", {**judgement.figures, "references": references})
    seconds = checkpoints.seconds_before + time.monotonic() - started
    write_json(run.path / "manifest.json", _manifest(experiment, evaluation, checkpoints, seconds))
    metrics = {f"trained_{evaluation.judged}": judgement.figures, **references}
    history = checkpoints.state["history"]
    return TrainingResult(run.finish(), metrics, history, judgement.tables, judgement.attributes)


def _check_same(config: ExperimentConfig, path: Path) -> None:
    """Raises an `InputError` where the interrupted run was begun with another configuration."""
    begun = load_config(path)
    name = config.differing_key(begun)
    if name is not None:
        raise InputError(
            f"The interrupted run was begun with {name}={begun.to_dict()[name]!r} and goes on with the same "
            f"configuration only. Received: {name}={config.to_dict()[name]!r}."
        )


def _fit(stage: Experiment, begin: int, evaluation: Evaluation, checkpoints: callbacks.Checkpoints) -> None:
    """Fits one stage, whose first epoch is number `begin` of the run, from where an interruption left it."""
    config, model, done = stage.config, stage.compile(), checkpoints.state["epoch"]
    end = begin + config.epochs
    if begin < done <= end:
        checkpoints.restore(model)
    if done >= end:
        model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` does at its end
        return
    weights = stage.system.loss_weights
    watchers: list[keras.callbacks.Callback] = [
        callbacks.StopAtNaN(checkpoints.run.checkpoints),
        callbacks.LearningRate(),
        FreezeBackbone(stage.backbone, begin + config.freeze_backbone_epochs),
        CombinedMetrics(stage.system.combined_metrics),
        CollapseWarning(stage.system.losses, [output for output, weight in weights.items() if weight]),
    ]
    if config.evaluation.validation:
        watchers.append(evaluation.validation())
    watchers += [checkpoints, keras.callbacks.TensorBoard(checkpoints.run.logs, update_freq="epoch")]
    with naming_broken_images(record.path for record in stage.training.train):
        model.fit(
            stage.batches(first_epoch=max(0, done - begin)),
            epochs=end,
            initial_epoch=max(begin, done),
            steps_per_epoch=stage.steps_per_epoch,
            shuffle=False,  # the sampler does
            callbacks=watchers,
        )


def _references(evaluation: Evaluation, run: RunDirectory) -> dict[str, dict[str, Any]]:
    """What the trained system has to beat, on the same images."""
    path = run.checkpoints / "references.json"
    if path.exists():  # of the run that is resumed, whose weights were the untrained ones
        return json.loads(path.read_text())
    references = evaluation.references()
    write_json(path, references)
    return references


def _without_optimizer(experiment: Experiment) -> keras.Model:
    model = experiment.system.model
    return keras.Model(model.input, model.output, name=model.name)


def _keep_stage(stage: Experiment, name: str, run: RunDirectory) -> None:
    """Saves all weights at the end of a stage, from which another training may begin."""
    path = run.checkpoints / f"stage-{name}.weights.h5"
    if not path.exists():
        with written_beside(path) as beside:
            _without_optimizer(stage).save_weights(beside)


def _save_models(experiment: Experiment, run: RunDirectory) -> None:
    """Saves the training graph, the encoder and the verifier without their optimizer, which only resuming needs."""
    system, bare = experiment.system, _without_optimizer(experiment)
    for name, model in (("model", bare), ("encoder", system.encoder), ("verifier", system.verifier)):
        if model is not None:
            model.save(run.path / f"{name}.keras")


def _manifest(
    experiment: Experiment, evaluation: Evaluation, checkpoints: callbacks.Checkpoints, seconds: float
) -> dict[str, Any]:
    state = checkpoints.state
    return {
        "versions": manifest.versions(),
        "git_commit": manifest.git_commit(),
        "seed": experiment.config.seed,
        "configuration": dataclasses.asdict(experiment.config),
        "dataset": {"name": experiment.dataset.name, **manifest.summarise(experiment.dataset)},
        "data_hash": manifest.data_hash(experiment.dataset),
        **evaluation.describe(),
        "epochs": state["epoch"],
        "best_epoch_weights": state["best"],
        f"best_{evaluation.score}": state["best_score"],
        "seconds": round(seconds, 1),
    }
