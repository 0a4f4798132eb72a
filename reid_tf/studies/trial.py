"""A training that is judged by validation alone, such as a trial of a search for options."""

import dataclasses
import math
import shutil
from pathlib import Path

from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.files import claimed, write_json
from reid_tf.training.fitting import Fitting
from reid_tf.training.run_directory import RUN_FILES

OBJECTIVE = "val_mAP"
VALIDATION_FILE = "validation.json"


@dataclasses.dataclass(frozen=True)
class Validated:
    """What is read of a trial's `validation.json`.

    Args:
        epoch: int. The best one.
        val_mAP: float. At its end.
    """

    epoch: int
    val_mAP: float  # noqa: N815 - as the file calls it


def train_trial(config: ExperimentConfig, run_directory: str | Path, resume: bool = False) -> dict[str, float]:
    """Fits a configuration's model and keeps what validation says of it; no image of the test set is read.

    The folder is not a judged run's and cannot be taken for one: there is no
    `metrics.json`, no model, no report, and `validation.json` in their place. Of
    configuration, manifest, history and logs it holds the same. The checkpoints, which
    only going on needs, are removed at the end: dozens of trials would fill a disk with
    them.

    Args:
        config: `ExperimentConfig` with validation by held-out identities.
        run_directory: str or Path. Must not exist yet.
        resume: bool. As in `train()`.

    Returns:
        dict. What `validation.json` holds: "epoch" (the best one) and its `val_mAP`,
        `val_rank1` and the like.

    Raises:
        InputError: as `train()`, or validation is missing, on the test set, without a
            finite mAP, or not by retrieval.
    """
    check_validation(config)
    with claimed(run_directory, folder=True):
        return _train_trial(Fitting(config, run_directory, resume))


def _train_trial(fitting: Fitting) -> dict[str, float]:
    score = fitting.evaluation.score
    if score != OBJECTIVE:
        raise InputError(
            f"A trial is judged by {OBJECTIVE}, and the model {fitting.config.model['name']!r} by {score}."
        )
    fitting.fit()
    history = fitting.checkpoints.state["history"]
    validated = [entry for entry in history if math.isfinite(entry.get(OBJECTIVE, math.nan))]
    if not validated:
        raise InputError(f"No epoch of the trial has a finite {OBJECTIVE}. Received: {len(history)} epochs.")
    best = max(validated, key=lambda entry: entry[OBJECTIVE])
    found = {key: value for key, value in best.items() if key == "epoch" or key.startswith("val_")}
    run = fitting.run
    write_json(run.path / VALIDATION_FILE, found)
    write_json(run.path / "manifest.json", fitting.manifest())
    for folder in (run.report, run.checkpoints):
        shutil.rmtree(folder)
    run.finish([*RUN_FILES, VALIDATION_FILE])
    return found


def check_validation(config: ExperimentConfig) -> None:
    """Raises an `InputError` where a configuration is not validated on identities held out of its training images."""
    validation = config.evaluation.validation
    if validation is None or validation["name"] == "test":
        raise InputError(
            "Trials are judged on identities held out of the training images, never on the test set: give "
            f"evaluation.validation={{name: held_out}}. Received: evaluation.validation={validation}."
        )
