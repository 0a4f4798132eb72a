"""Fitting a configuration's model in a run directory: what every training does, however it is judged afterwards."""

import dataclasses
import logging
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from reid_tf.config import ExperimentConfig, check_new_run, save_config
from reid_tf.datasets.summary import data_hash, summarise
from reid_tf.errors import InputError
from reid_tf.files import WeightsInMemory, write_csv
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.progress import is_watched
from reid_tf.registry import CALLBACKS
from reid_tf.training import callbacks
from reid_tf.training.evaluation import Evaluation, make_evaluation
from reid_tf.training.experiment import Experiment, build_experiment
from reid_tf.training.freezing import FreezeBackbone
from reid_tf.training.log_callbacks import CollapseWarning, CombinedMetrics, EpochLine
from reid_tf.training.run_directory import RunDirectory, check_same_data, check_same_recipe
from reid_tf.training.strategy import make_strategy, precision
from reid_tf.training.workers import Workers, agree, exchange
from reid_tf.versions import git_commit, versions

logger = logging.getLogger(__name__)


class Fitting:
    """A run from its configuration to the end of fitting, in an unfinished run directory.

    `experiment`, `evaluation`, `run` and `checkpoints` are what the configuration
    makes.

    Args:
        config: `ExperimentConfig`.
        run_directory: str or Path. Must not exist yet; claimed by the caller.
        resume: bool. Whether to go on with an interrupted run of that name; of several
            workers, the chief says so for all.
        workers: `Workers` that train it together, or None.

    Raises:
        InputError: something in the configuration or the data is wrong, the run
            directory exists, the run to resume was begun with another configuration or
            other data, or another worker has another of these or does not come.
    """

    def __init__(
        self, config: ExperimentConfig, run_directory: str | Path, resume: bool, workers: Workers | None = None
    ) -> None:
        self.started, self.config, self.workers = time.monotonic(), config, workers
        self.run = RunDirectory(run_directory, resume)
        if resume:
            check_same_recipe(config, self.run.path)
        else:
            check_new_run(config)
        if workers and config.xla:
            raise InputError(
                f"Several workers do not train with XLA. Received: xla=true, {len(workers.addresses)} workers."
            )
        self.strategy = make_strategy(workers)
        if workers:
            agree(workers, self.strategy, config.compared())
            begun = exchange(workers, self.strategy, self.run.packed() if resume else b"")[0]
            if begun and not workers.is_chief:
                self.run.unpack(begun)
        with precision(config.precision):
            self.experiment = build_experiment(config, self.strategy, workers)
            self.stages = self.experiment.in_stages()
            self.evaluation = make_evaluation(self.experiment)
        # Several workers would have to agree on the moment; an epoch of theirs is short.
        self.checkpoints = callbacks.Checkpoints(self.run, self.evaluation.score, within_epochs=not workers)
        state, found = self.checkpoints.state, data_hash(self.experiment.dataset)
        check_same_data(found, state.setdefault("data_hash", found), self.run.path, config.dataset.get("root"))
        if workers:
            agree(workers, self.strategy, {"data hash": found})
        self.run.make()
        save_config(config, self.run.path / "config.yaml")

    def fit(self) -> None:
        """Fits every stage, from where an interruption left it; the model ends with the last epoch's weights.

        Raises:
            InputError: the loss became NaN, or an image cannot be read.
        """
        with precision(self.config.precision):
            for number, stage in enumerate(self.stages):
                begin = sum(earlier.config.epochs for earlier in self.stages[:number])
                _fit(stage, begin, self.evaluation, self.checkpoints)
                if self.config.stages:
                    _keep_stage(stage, self.config.stages[number].name, self.run)
        write_csv(
            self.run.path / "history.csv", self.checkpoints.state["history"]
        )  # it may have been removed meanwhile

    def manifest(self) -> dict[str, Any]:
        """Returns what the run was made of, as JSON values."""
        experiment, state = self.experiment, self.checkpoints.state
        seconds = self.checkpoints.seconds_before + time.monotonic() - self.started
        return {
            "versions": versions(),
            "git_commit": git_commit(),
            "seed": self.config.seed,
            "configuration": dataclasses.asdict(self.config),
            "dataset": {"name": experiment.dataset.name, **summarise(experiment.dataset)},
            "data_hash": state["data_hash"],
            **self.evaluation.describe(),
            "epochs": state["epoch"],
            "best_epoch_weights": state["best"],
            f"best_{self.evaluation.score}": state["best_score"],
            "seconds": round(seconds, 1),
        }


def without_optimizer(experiment: Experiment) -> keras.Model:
    """Returns the experiment's model, not compiled: its files hold weights alone."""
    model = experiment.system.model
    return keras.Model(model.input, model.output, name=model.name)


def _fit(stage: Experiment, begin: int, evaluation: Evaluation, checkpoints: callbacks.Checkpoints) -> None:
    """Fits one stage, whose first epoch is number `begin` of the run, from where an interruption left it."""
    config = stage.config
    with (stage.strategy or tf.distribute.get_strategy()).scope():
        model = stage.compile()
    done, step = checkpoints.state["epoch"], checkpoints.state["step"]
    end = begin + config.epochs
    if (begin, 0) < (done, step) <= (end, 0):
        checkpoints.restore(model)
    if done >= end:
        model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` does at its end
        return
    batches = stage.batches(max(0, done - begin), step)
    weights = stage.system.loss_weights
    watchers: list[keras.callbacks.Callback] = [
        callbacks.StopAtNaN(checkpoints.run.checkpoints),
        callbacks.LearningRate(checkpoints.state),
        callbacks.GrowingMargins(stage.system.losses.values()),
        FreezeBackbone(stage.backbone, begin + config.freeze_backbone_epochs),
        CombinedMetrics(stage.system.combined_metrics),
        CollapseWarning(stage.system.losses, [output for output, weight in weights.items() if weight]),
    ]
    if config.evaluation.validation:
        watchers.append(evaluation.validation())
    watchers += [CALLBACKS.build(callback) for callback in config.callbacks]
    watchers += [checkpoints, keras.callbacks.TensorBoard(checkpoints.run.logs, update_freq="epoch")]
    if not is_watched():
        watchers.append(EpochLine(stage.steps_per_epoch * next(stage.sampler.epoch(0)).size))
    _log_shares(stage, model)
    with naming_broken_images(record.path for record in stage.training.train):
        if step:
            stage.make_metrics(model, batches)
        model.fit(
            batches,
            epochs=end,
            initial_epoch=max(begin, done),
            steps_per_epoch=stage.steps_per_epoch,
            shuffle=False,  # the sampler does
            callbacks=watchers,
            verbose=int(is_watched()),
        )


def _log_shares(stage: Experiment, model: keras.Model) -> None:
    """Says how a batch is divided, and the rate of the first step."""
    images = next(stage.sampler.epoch(0)).size
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    machines = f" of {len(stage.workers.addresses)} workers" if stage.workers else ""
    logger.info(
        "global batch: %d images, %g on each of %d replica(s)%s; learning rate: %.3g",
        images,
        images / stage.replicas,
        stage.replicas,
        machines,
        rate,
    )


def _keep_stage(stage: Experiment, name: str, run: RunDirectory) -> None:
    """Saves all weights at the end of a stage, from which another training may begin."""
    path = run.checkpoints / f"stage-{name}.weights.h5"
    if not path.exists():
        WeightsInMemory(without_optimizer(stage)).write_to(path)
