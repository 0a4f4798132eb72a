"""What happens beside the training steps: checkpoints, the learning rate in the logs, a guard against NaN."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import keras

from reid_tf.datasets.readers.hdf5 import refuse_other_files
from reid_tf.errors import InputError
from reid_tf.files import write_csv, write_json, written_beside
from reid_tf.training.averaging import averaged_weights, exchange_averages
from reid_tf.training.run_directory import RunDirectory


class LearningRate(keras.callbacks.Callback):
    """Writes the rate of an epoch's first step into the logs."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Reads the rate off the optimizer, which names the next step's: at an epoch's end it would be another's."""
        if batch == 0:
            self.rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes it."""
        if logs is not None:
            logs["learning_rate"] = self.rate


class StopAtNaN(keras.callbacks.Callback):
    """Ends the run with a sentence as soon as the loss is not finite; what is checkpointed stays.

    Args:
        checkpoints: Path. The folder that the sentence points to.
    """

    def __init__(self, checkpoints: Path) -> None:
        super().__init__()
        self.checkpoints, self.epoch = checkpoints, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remembers the epoch for the sentence."""
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss, which Keras averages over the epoch so far."""
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise InputError(
                f"The loss became {loss} in epoch {self.epoch}, step {batch + 1}; try a lower learning rate or another "
                f"precision. The last good checkpoint is in {str(self.checkpoints)!r}."
            )


class Checkpoints(keras.callbacks.Callback):
    """Keeps the last and the best epoch's weights (with the optimizer's state) and the history, ready to resume.

    Weights get a new name every epoch and the state file, replaced in one step, says
    which name counts; so an interruption at any moment leaves a state whose files are
    complete. Where the optimizer averages the weights, the averages are in the file in
    the weights' place (they are what validation judged, and what another run would
    begin with), and the weights in that of the averages.

    Args:
        run: `RunDirectory`. Where it goes on with an interrupted run, that one's state
            is read.
        score: str. The logged value that chooses the best epoch.
    """

    def __init__(self, run: RunDirectory, score: str) -> None:
        super().__init__()
        self.run, self.score = run, score
        self.state: dict[str, Any] = {
            "epoch": 0,
            "seconds": 0.0,
            "last": None,
            "best": None,
            "best_score": None,
            "history": [],
        }
        if run.resume:
            self.state |= json.loads(run.state.read_text())
        self.seconds_before: float = self.state["seconds"]  # up to the interruption
        self._began = time.monotonic()

    def restore(self, model: keras.Model) -> None:
        """Loads the last checkpoint.

        Args:
            model: keras.Model. Compiled like the one that was saved.
        """
        _load(model, self.run.checkpoints / self.state["last"])
        exchange_averages(model)
        for variable, value in zip(_random_states(model), self.state["random_states"], strict=True):
            variable.assign(value)

    def load_best(self, model: keras.Model) -> None:
        """Loads the best epoch's weights into the model, where validation has named one.

        Args:
            model: keras.Model. Not compiled: the optimizer is not looked for.
        """
        if self.state["best"] is not None:
            _load(model, self.run.checkpoints / self.state["best"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves weights, then state, then removes the weights that no longer count."""
        values = {key: float(value) for key, value in (logs or {}).items()}
        self.state["history"].append({"epoch": epoch + 1, **values})
        name = f"epoch-{epoch + 1:04d}.weights.h5"
        with written_beside(self.run.checkpoints / name) as beside, averaged_weights(self.model):
            self.model.save_weights(beside)
        random_states = [keras.ops.convert_to_numpy(state).tolist() for state in _random_states(self.model)]
        seconds = self.seconds_before + time.monotonic() - self._began
        self.state.update(epoch=epoch + 1, seconds=seconds, last=name, random_states=random_states)
        score, best = values.get(self.score, math.nan), self.state["best_score"]
        if math.isfinite(score) and (best is None or score > best):
            self.state.update(best=name, best_score=score)
        write_json(self.run.state, self.state)
        for path in self.run.checkpoints.glob("epoch-*.weights.h5"):
            if path.name not in (self.state["last"], self.state["best"]):
                os.unlink(path)
        write_csv(self.run.path / "history.csv", self.state["history"])


def _load(model: keras.Model, path: Path) -> None:
    refuse_other_files(path)  # a run directory may be a stranger's
    model.load_weights(path)


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The states of the random generators of a model's layers (dropout), which a weights file leaves out."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
