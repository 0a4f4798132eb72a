"""Training from a configuration to a finished run directory."""

import dataclasses
import json
import logging
import time
from pathlib import Path
from typing import Any

import keras

from reid_tf.config import ExperimentConfig, load_config, save_config
from reid_tf.datasets.record import ReIDDataset
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.pipeline.decode import naming_broken_images, read_image
from reid_tf.report.evaluation import write_report
from reid_tf.retrieval.attribute_metrics import AttributeMetrics
from reid_tf.retrieval.embed import Encoder, embed_colour_histogram
from reid_tf.retrieval.metrics import evaluate
from reid_tf.retrieval.query_and_gallery import embed_query_and_gallery
from reid_tf.training import callbacks, manifest
from reid_tf.training.experiment import Experiment, build_experiment
from reid_tf.training.log_callbacks import CollapseWarning, CombinedMetrics
from reid_tf.training.run_directory import RunDirectory
from reid_tf.training.strategy import make_strategy, precision

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Args:
        run_directory: Path. Holds configuration, manifest, metrics, history, models, checkpoints, report and logs.
        metrics: dict. Figures on the test set as in metrics.json, by name: "trained_encoder", "untrained_encoder",
            "colour_histogram".
        history: list of dict. The logs of each epoch.
        attributes: `AttributeMetrics` on the test set, or None where the model predicts no attributes or the data set
            has no labels.
    """

    run_directory: Path
    metrics: dict[str, dict[str, Any]]
    history: list[dict[str, float]]
    attributes: AttributeMetrics | None = None


def train(config: ExperimentConfig, run_directory: str | Path, resume: bool = False) -> TrainingResult:
    """Fits a configuration's model, evaluates its encoder on the test set and writes the run directory.

    Work happens in `run_directory` + ".unfinished"; the folder gets its name when everything is in it. With validation
    by held-out identities the best epoch's encoder is kept, otherwise the last one's: choosing an epoch by the test
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
        encoder = experiment.encoder()
        run.make()
        save_config(config, run.path / "config.yaml")
        references = _references(experiment, encoder, run)
        with strategy.scope():
            checkpoints = _fit(experiment, encoder, run, resume)
        if experiment.training is not experiment.dataset:  # validated on other images than the test set
            checkpoints.load_best(experiment.system.model)
        _save_models(experiment, run)
    metrics, attributes = _evaluate(experiment.dataset, encoder, config, references, run)
    write_json(run.path / "manifest.json", _manifest(experiment, encoder, checkpoints, time.monotonic() - started))
    return TrainingResult(run.finish(), metrics, checkpoints.state["history"], attributes)


def _check_same(config: ExperimentConfig, path: Path) -> None:
    """Raises an `InputError` where the interrupted run was begun with another configuration."""
    begun = load_config(path).to_dict()
    for name, received in config.to_dict().items():
        if received != begun[name]:
            raise InputError(
                f"The interrupted run was begun with {name}={begun[name]!r} and goes on with the same configuration "
                f"only. Received: {name}={received!r}."
            )


def _fit(experiment: Experiment, encoder: Encoder, run: RunDirectory, resume: bool) -> callbacks.Checkpoints:
    config, model = experiment.config, experiment.compile()
    checkpoints = callbacks.Checkpoints(run)
    done = checkpoints.restore(model) if resume else 0
    watchers: list[keras.callbacks.Callback] = [
        callbacks.StopAtNaN(run.checkpoints),
        callbacks.LearningRate(),
        CombinedMetrics(experiment.system.combined_metrics),
        CollapseWarning(experiment.system.losses),
    ]
    evaluation = config.evaluation
    if evaluation.validation:
        watchers.append(
            callbacks.RetrievalValidation(
                encoder,
                experiment.training,
                evaluation.every,
                evaluation.validation_protocols or (evaluation.protocol,),
                evaluation.batch_size,
            )
        )
    watchers += [checkpoints, keras.callbacks.TensorBoard(run.logs, update_freq="epoch")]
    if done < config.epochs:
        with naming_broken_images(record.path for record in experiment.training.train):
            model.fit(
                experiment.batches(first_epoch=done),
                epochs=config.epochs,
                initial_epoch=done,
                steps_per_epoch=experiment.steps_per_epoch,
                shuffle=False,  # the sampler does
                callbacks=watchers,
            )
    return checkpoints


def _references(experiment: Experiment, encoder: Encoder, run: RunDirectory) -> dict[str, dict[str, Any]]:
    """What the trained encoder has to beat, on the same images: itself before training, and colours alone."""
    path = run.checkpoints / "references.json"
    if path.exists():  # of the run that is resumed, whose weights were the untrained ones
        return json.loads(path.read_text())
    evaluation, dataset = experiment.config.evaluation, experiment.dataset
    embedded = callbacks.embed_test_set(encoder, dataset, evaluation.batch_size)
    untrained = evaluate(*embedded, encoder.distance, protocol=evaluation.protocol)
    query, gallery = (
        embed_colour_histogram(records, encoder.image_size, evaluation.batch_size)
        for records in (dataset.query, dataset.gallery)
    )
    histogram = evaluate(query, gallery, protocol=evaluation.protocol)
    references = {"untrained_encoder": untrained.to_dict(), "colour_histogram": histogram.to_dict()}
    write_json(path, references)
    return references


def _evaluate(
    dataset: ReIDDataset,
    encoder: Encoder,
    config: ExperimentConfig,
    references: dict[str, dict[str, Any]],
    run: RunDirectory,
) -> tuple[dict[str, dict[str, Any]], AttributeMetrics | None]:
    options = config.evaluation
    query, gallery, attributes = embed_query_and_gallery(encoder, dataset, options.batch_size)
    metrics = evaluate(query, gallery, encoder.distance, protocol=options.protocol)
    write_report(
        run.report,
        query,
        gallery,
        metrics,
        read_image,
        references=references,
        distance=encoder.distance,
        protocol=options.protocol,
        ranked_lists=options.ranked_lists,
        attributes=attributes,
    )
    judged = {} if attributes is None else {"attributes": attributes.to_dict()}
    write_json(run.path / "metrics.json", {**metrics.to_dict(), **judged, "references": references})
    return {"trained_encoder": metrics.to_dict(), **references}, attributes


def _save_models(experiment: Experiment, run: RunDirectory) -> None:
    """Saves the training graph, the encoder and the verifier without their optimizer, which only resuming needs."""
    system = experiment.system
    bare = keras.Model(system.model.input, system.model.output, name=system.model.name)
    for name, model in (("model", bare), ("encoder", system.encoder), ("verifier", system.verifier)):
        if model is not None:
            model.save(run.path / f"{name}.keras")


def _manifest(
    experiment: Experiment, encoder: Encoder, checkpoints: callbacks.Checkpoints, seconds: float
) -> dict[str, Any]:
    state = checkpoints.state
    return {
        "versions": manifest.versions(),
        "git_commit": manifest.git_commit(),
        "seed": experiment.config.seed,
        "configuration": dataclasses.asdict(experiment.config),
        "dataset": {"name": experiment.dataset.name, **manifest.summarise(experiment.dataset)},
        "data_hash": manifest.data_hash(experiment.dataset),
        "encoder": encoder.describe(),
        "epochs": state["epoch"],
        "best_epoch_weights": state["best"],
        "best_val_mAP": state["best_mAP"],
        "seconds": round(seconds, 1),
    }
