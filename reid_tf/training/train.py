"""Training from a configuration to a finished run directory."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from reid_tf.checksums import checksums
from reid_tf.config import ExperimentConfig
from reid_tf.files import claimed, write_json, written_beside
from reid_tf.keras_file import MANIFEST_FILE
from reid_tf.report.learning_curves import learning_curves
from reid_tf.retrieval.attribute_metrics import AttributeMetrics
from reid_tf.training.evaluation import Evaluation
from reid_tf.training.experiment import Experiment
from reid_tf.training.fitting import Fitting, without_optimizer
from reid_tf.training.run_directory import RUN_FILES, RunDirectory
from reid_tf.training.strategy import precision
from reid_tf.training.workers import Workers, naming_lost_workers, part, workers_of_environment


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Args:
        run_directory: Path. Holds configuration, manifest, metrics, history, models,
            checkpoints, report and logs.
        metrics: dict. Figures on the test set as in metrics.json, by name:
            "trained_encoder" (of a pose estimator "trained_detector") and those of the
            references: "untrained_encoder" ("encoder_at_the_start" where `begin_from` is
            given), "colour_histogram" ("mean_pose").
        history: list of dict. The logs of each epoch.
        tables: tuple of str. The figures as Markdown tables, beside those of the
            references.
        attributes: `AttributeMetrics` on the test set, or None where the model predicts
            no attributes or the data set has no labels.
    """

    run_directory: Path
    metrics: dict[str, dict[str, Any]]
    history: list[dict[str, float]]
    tables: tuple[str, ...]
    attributes: AttributeMetrics | None = None


def train(
    config: ExperimentConfig, run_directory: str | Path, resume: bool = False, workers: Workers | None = None
) -> TrainingResult:
    """Fits a configuration's model, evaluates what stays of it on the test set and writes the run directory.

    Work happens in `run_directory` + ".unfinished"; the folder gets its name when
    everything is in it. `evaluation.keep` says which epoch's weights are kept.

    Several workers all call this alike and train one model together. Each judges it
    too, as some of its values are read from all at once; the run directory that remains
    is the chief's, and what another worker writes goes into a folder that is removed.

    Args:
        config: `ExperimentConfig`.
        run_directory: str or Path. Must not exist yet; of several workers, the chief's.
        resume: bool. Whether to go on with an interrupted run of that name: same data
            order, same optimizer state. Of several workers, the chief's word counts.
        workers: `Workers`, or None for those of the variable `TF_CONFIG`, where it is
            set.

    Returns:
        `TrainingResult`.

    Raises:
        WorkerLostError: another worker went away.
        InputError: something in the configuration or the data is wrong, the loss became
            NaN, the run directory exists, cannot be written or is written by another
            process, its folder was moved meanwhile, or the run to resume was begun with
            another configuration or other data.
    """
    workers = workers or workers_of_environment()
    if workers is None:
        with claimed(run_directory, folder=True):
            return _train(Fitting(config, run_directory, resume))
    with naming_lost_workers(workers):
        return _train_together(config, run_directory, resume, workers)


def _train_together(
    config: ExperimentConfig, run_directory: str | Path, resume: bool, workers: Workers
) -> TrainingResult:
    if workers.is_chief:
        with claimed(run_directory, folder=True):
            fitting = Fitting(config, run_directory, resume, workers)
            result = _train(fitting)
    else:
        with tempfile.TemporaryDirectory(prefix="reid_tf-worker-") as folder:
            fitting = Fitting(config, Path(folder) / "run", False, workers)
            result = _train(fitting)
    part(workers, fitting.strategy)
    return result


def _train(fitting: Fitting) -> TrainingResult:
    config, experiment, evaluation, run = fitting.config, fitting.experiment, fitting.evaluation, fitting.run
    references = _references(evaluation, run)
    fitting.fit()
    with precision(config.precision):
        validated_apart = experiment.training is not experiment.dataset
        if validated_apart and config.evaluation.keep == "best":
            fitting.checkpoints.load_best(without_optimizer(experiment))
        models = _save_models(experiment, run)
    history = fitting.checkpoints.state["history"]
    judgement = evaluation.judge(references, run)
    learning_curves(run.report / "learning_curves.png", history)
    write_json(run.path / "metrics.json", {**judgement.figures, "references": references})
    run.check(models)
    write_json(run.path / MANIFEST_FILE, {**fitting.manifest(), "checksums": checksums(run.path, models)})
    metrics = {f"trained_{evaluation.judged}": judgement.figures, **references}
    finished = run.finish([*RUN_FILES, "metrics.json", *models])
    return TrainingResult(finished, metrics, history, judgement.tables, judgement.attributes)


def _references(evaluation: Evaluation, run: RunDirectory) -> dict[str, dict[str, Any]]:
    """What the trained system has to beat, on the same images."""
    path = run.checkpoints / "references.json"
    if path.exists():  # of the run that is resumed, whose weights were the untrained ones
        return json.loads(path.read_text())
    references = evaluation.references()
    write_json(path, references)
    return references


def _save_models(experiment: Experiment, run: RunDirectory) -> list[str]:
    """Saves the training graph, the encoder and the verifier without their optimizer, which only resuming needs."""
    saved = []
    system, bare = experiment.system, without_optimizer(experiment)
    for name, model in (("model", bare), ("encoder", system.encoder), ("verifier", system.verifier)):
        if model is not None:
            saved.append(f"{name}.keras")
            with written_beside(run.path / saved[-1]) as beside:
                model.save(beside)
    return saved
