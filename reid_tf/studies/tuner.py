"""The loop over the trials of a search: KerasTuner's, around trainings in processes of their own."""

import contextlib
import dataclasses
import io
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras_tuner as kt
from keras_tuner.src.distribute import oracle_client
from omegaconf import OmegaConf

from reid_tf.encoder.description import read_manifest
from reid_tf.errors import InputError
from reid_tf.files import write_json, written_beside
from reid_tf.report.option_values import option_text
from reid_tf.report.tuning import TrialRow, best_first, write_tuning_report
from reid_tf.schema import read_json
from reid_tf.studies.oracle import make_oracle
from reid_tf.studies.own_process import train_in_own_process
from reid_tf.studies.plan import Search
from reid_tf.studies.runs import check_same, is_interrupted
from reid_tf.studies.trial import OBJECTIVE, VALIDATION_FILE, Validated, train_trial
from reid_tf.studies.tuner_service import TunerService

logger = logging.getLogger(__name__)

_RETRIES = 3  # of a trial whose worker went away
_GIVE_UP_AFTER = 3  # failures in a row: what they have in common is not an option's value


class TrialTuner(kt.Tuner):
    """Trains trials where KerasTuner would fit a model; says what becomes of them in the log, in tables and in a plot.

    `error` says why the search ended early, or is "".

    Args:
        search: `Search`.
        trials: int. Of the whole search, including those that `out` already knows.
        out: Path. Where everything is written; all processes of a service see the same
            folder.
        service: `TunerService` that the trials are divided by, or None.

    Raises:
        InputError: what KerasTuner wrote there cannot be read.
    """

    def __init__(self, search: Search, trials: int, out: Path, service: TunerService | None = None) -> None:
        self.plan, self.trials, self.out, self.service = search, trials, out, service
        self.sentences: dict[str, str] = {}
        self.error = ""
        oracle = make_oracle(search.method, search.ranges, search.base.seed, search.base.epochs, trials)
        state = out / "keras_tuner"
        try:
            with quiet():
                super().__init__(oracle, directory=str(out), project_name=state.name)
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise InputError(
                f"The state of the search in {str(state)!r} cannot be read ({type(error).__name__}); remove that "
                "folder: finished trials are read again."
            ) from error
        self.oracle.verbose = 0
        if service and service.is_chief:
            self.oracle.max_retries_per_trial = _RETRIES
            end = self.oracle.end_trial

            def end_and_report(trial: Any) -> None:
                if self._reason(trial).exists():  # KerasTuner's messages have no place for it
                    trial.message = json.loads(self._reason(trial).read_text())["reason"]
                end(trial)
                if trial.trial_id in self.oracle.end_order:  # and not to be tried again
                    self._say_what_became(trial)

            self.oracle.end_trial = end_and_report
        elif service:
            oracle_client.TIMEOUT = service.patience  # it would wait for an hour

    def _get_tuner_fname(self) -> str:
        """Where KerasTuner keeps a tuner's state: of the chief, where a search without a service has it."""
        name = self.service.name if self.service and not self.service.is_chief else "tuner0"
        return str(Path(self.project_dir) / f"{name}.json")

    def pre_create_trial(self) -> None:
        """Gives the chief a moment: KerasTuner asks again at once where there is no trial yet."""
        if self.service:
            time.sleep(0.2)

    def run_trial(self, trial: Any) -> dict[str, float]:
        """Trains a trial, goes on with it or reads it, and returns its objective."""
        drawn, folder = trial.hyperparameters.values, self.folder(trial)
        text = ", ".join(f"{option}={option_text(value)}" for option, value in self.plan.values_of(drawn).items())
        logger.info("trial %d of %d: %s", _number(trial), self.trials, text)
        try:
            config = self.plan.config_of(drawn)
            check_same(config, folder)
            sentence = ""
            if not folder.exists():
                with self.service.working_on(self.oracle, trial.trial_id) if self.service else contextlib.nullcontext():
                    sentence = train_in_own_process(config, folder, is_interrupted(folder), train_trial)
        except InputError as error:
            sentence = str(error)
        self._reason(trial).unlink(missing_ok=True)
        if sentence:
            self.sentences[trial.trial_id] = sentence
            if self.service:
                write_json(self._reason(trial), {"reason": sentence})
            raise kt.errors.FailedTrialError(sentence)
        return {OBJECTIVE: read_json(folder / VALIDATION_FILE, Validated).val_mAP}

    def on_trial_end(self, trial: Any) -> None:
        """Saves what has become of a trial, reports, and ends the search after failures in a row."""
        if trial.message:  # a traceback; what is wrong is one sentence
            if trial.trial_id not in self.sentences:
                logger.error(trial.message)
            trial.message = self.sentences.get(trial.trial_id, trial.message.strip().splitlines()[-1])
        super().on_trial_end(trial)
        if not self.service:
            self._say_what_became(trial)

    def _say_what_became(self, trial: Any) -> None:
        self.report()
        rows = self.rows()
        row = next(row for row in rows if row.number == _number(trial))
        if row.score is None:
            logger.error("Trial %d failed: %s", row.number, row.error)
        else:
            best = best_first(rows)[0]
            figures = (row.number, 100 * row.score, best.number, 100 * (best.score or 0.0))
            logger.info("trial %d: validated mAP %.2f %%; best so far: trial %d, %.2f %%", *figures)
        last = rows[-_GIVE_UP_AFTER:]
        if len(last) == _GIVE_UP_AFTER and all(row.error for row in last) and len(rows) < self.trials:
            self.error = (
                f"The search ended after {len(rows)} of {self.trials} trials, because the last {_GIVE_UP_AFTER} failed "
                f"({last[-1].error.rstrip('.')})."
            )
            self.oracle.max_trials = len(rows)

    def folder(self, trial: Any) -> Path:
        """Returns where a trial is run."""
        return self.out / "trials" / f"{_number(trial):04d}"

    def _reason(self, trial: Any) -> Path:
        """Where a worker says why a trial failed."""
        return self.folder(trial).with_suffix(".failed.json")

    def rows(self) -> list[TrialRow]:
        """Returns what is known of the trials, in their order."""
        return [self._row(trial) for trial in sorted(self.oracle.trials.values(), key=_number)]

    def report(self) -> None:
        """Writes tables, plot and the best configuration."""
        rows = self.rows()
        write_tuning_report(self.out, rows, self.plan.logarithmic())
        best = best_first(rows)[0]
        if best.score is None:
            return
        drawn = next(
            trial.hyperparameters.values for trial in self.oracle.trials.values() if _number(trial) == best.number
        )
        with written_beside(self.out / "best.yaml") as beside:
            config = OmegaConf.to_yaml(OmegaConf.create(self.plan.config_of(drawn).to_dict()))
            beside.write_text(_header(best, rows, self.plan.method, self.out) + config, encoding="utf-8")

    def _row(self, trial: Any) -> TrialRow:
        drawn, folder = trial.hyperparameters.values, self.folder(trial)
        values = self.plan.values_of(drawn)
        epochs = values.get("epochs", self.plan.base.epochs)
        row = TrialRow(_number(trial), self.plan.shown(values), epochs, error=trial.message or "")
        if trial.score is None:
            return row
        row = dataclasses.replace(row, score=float(trial.score))
        if not folder.exists():  # somebody has removed it
            return row
        best_epoch = read_json(folder / VALIDATION_FILE, Validated).epoch
        return dataclasses.replace(row, best_epoch=best_epoch, seconds=read_manifest(folder).seconds)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what KerasTuner prints: that it reloads, a traceback of every failed trial, warnings of its fits.

    Trials are in processes of their own, and logging has its own stream.
    """
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _number(trial: Any) -> int:
    """1 for the first trial. KerasTuner counts from 0, with as many digits as the number of trials has."""
    return int(trial.trial_id) + 1


def _header(best: TrialRow, rows: Sequence[TrialRow], method: str, out: Path) -> str:
    finished = sum(row.score is not None for row in rows)
    values = ", ".join(f"{label.replace(', ', '=')}={option_text(value)}" for label, value in best.values.items())
    return (
        f"# The best of {finished} finished trials of a {method} search, trial {best.number}: {values}.\n"
        f"# Validated mAP {100 * (best.score or 0.0):.2f} % on identities held out of the training images; no image of "
        "the test set was read.\n"
        f"# Run: reid-tf train --config {out / 'best.yaml'} --out RUN\n"
    )
