"""What happens beside the training steps: checkpoints, the learning rate in the logs, a guard against NaN."""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras

from reid_tf.datasets.readers.hdf5 import refuse_other_files
from reid_tf.errors import InputError, one_line
from reid_tf.files import WeightsInMemory, write_csv, write_json
from reid_tf.losses.cosine_margin import CosineMarginLoss
from reid_tf.training.averaging import averaged_weights, exchange_averages
from reid_tf.training.run_directory import RunDirectory

MINUTES = 10.0  # of an epoch that are lost at most


class LearningRate(keras.callbacks.Callback):
    """Writes the rate of an epoch's first step into the logs.

    Args:
        state: dict. That of `Checkpoints`, where the rate is kept: an interrupted epoch
            goes on after its first step.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self.state = state

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Reads the rate off the optimizer, which names the next step's: at an epoch's end it would be another's."""
        if batch == 0 and not self.state["step"]:
            self.state["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes it."""
        if logs is not None:
            logs["learning_rate"] = self.state["learning_rate"]


class GrowingMargins(keras.callbacks.Callback):
    """Sets the margins of the losses that begin without one.

    Args:
        losses: keras losses; those with a margin that grows are among them.
    """

    def __init__(self, losses: Iterable[keras.losses.Loss]) -> None:
        super().__init__()
        self.growing = [loss for loss in losses if isinstance(loss, CosineMarginLoss) and loss.warmup_epochs]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets them; an interrupted epoch has the margin that it had."""
        for loss in self.growing:
            loss.begin_epoch(epoch)


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

    An epoch that takes longer is kept every `MINUTES` too, with the metrics' sums up to
    there; going on from there skips the steps that it has had. Weights get a new name
    each time and the state file, replaced in one step, says which name counts; so an
    interruption at any moment leaves a state whose files are complete. Where the
    optimizer averages the weights, the averages are in the file in the weights' place
    (they are what validation judged, and what another run would begin with), and the
    weights in that of the averages.

    Args:
        run: `RunDirectory`. Where it goes on with an interrupted run, that one's state
            is read.
        score: str. The logged value that chooses the best epoch.
        within_epochs: bool. Whether long epochs are kept before they end.

    Raises:
        InputError: the state cannot be read.
    """

    def __init__(self, run: RunDirectory, score: str, within_epochs: bool = True) -> None:
        super().__init__()
        self.run, self.score, self.within_epochs = run, score, within_epochs
        self.state: dict[str, Any] = {
            "epoch": 0,
            "step": 0,
            "seconds": 0.0,
            "last": None,
            "best": None,
            "best_score": None,
            "history": [],
        }
        if run.resume:
            self.state |= _read_state(run.state, self.state)
        self.seconds_before: float = self.state["seconds"]  # up to the interruption
        self._began = self._saved = time.monotonic()

    def restore(self, model: keras.Model) -> None:
        """Loads the last checkpoint.

        Args:
            model: keras.Model. Compiled like the one that was saved.

        Raises:
            InputError: the checkpoint is gone or damaged.
        """
        self._load(model, self.state["last"])
        exchange_averages(model)
        for variable, value in zip(_random_states(model), self.state["random_states"], strict=True):
            variable.assign(value)

    def load_best(self, model: keras.Model) -> None:
        """Loads the best epoch's weights into the model, where validation has named one.

        Args:
            model: keras.Model. Not compiled: the optimizer is not looked for.

        Raises:
            InputError: the checkpoint is gone or damaged.
        """
        if self.state["best"] is not None:
            self._load(model, self.state["best"])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Passes over the steps that an interrupted epoch has had."""
        if self.state["step"]:
            for variable, value in zip(_metric_variables(self.model), self.state["metrics"], strict=True):
                variable.assign(value)
            self.model.train_function = _after(self.state["step"], self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves where it is time, but not after the last step, as the epoch's own checkpoint follows."""
        due = self.within_epochs and time.monotonic() - self._saved >= 60 * MINUTES
        if due and self.state["step"] <= batch < self.params["steps"] - 1:
            metrics = [keras.ops.convert_to_numpy(variable).tolist() for variable in _metric_variables(self.model)]
            name = f"epoch-{self.state['epoch'] + 1:04d}-step-{batch + 1:06d}.weights.h5"
            self._save(name, step=batch + 1, metrics=metrics)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves, and keeps the weights where they are the best so far."""
        values = {key: float(value) for key, value in (logs or {}).items()}
        self.state["history"].append({"epoch": epoch + 1, **values})
        name = f"epoch-{epoch + 1:04d}.weights.h5"
        score, best = values.get(self.score, math.nan), self.state["best_score"]
        if math.isfinite(score) and (best is None or score > best):
            self.state.update(best=name, best_score=score)
        self._save(name, epoch=epoch + 1, step=0, metrics=[])
        write_csv(self.run.path / "history.csv", self.state["history"])

    def _save(self, name: str, **state: Any) -> None:
        """Saves weights, then state, then removes the weights that no longer count."""
        self.run.check()
        with averaged_weights(self.model):
            weights = WeightsInMemory(self.model)
        weights.write_to(self.run.checkpoints / name)
        random_states = [keras.ops.convert_to_numpy(variable).tolist() for variable in _random_states(self.model)]
        self._saved = time.monotonic()
        seconds = self.seconds_before + self._saved - self._began
        self.state.update(seconds=seconds, last=name, random_states=random_states, **state)
        write_json(self.run.state, self.state)
        for path in self.run.checkpoints.glob("epoch-*.weights.h5"):
            if path.name not in (self.state["last"], self.state["best"]):
                os.unlink(path)

    def _load(self, model: keras.Model, name: str) -> None:
        path = self.run.checkpoints / name
        refuse_other_files(path)  # a run directory may be a stranger's
        try:
            model.load_weights(path)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise InputError(
                f"The checkpoint {str(path)!r} is gone or damaged ({one_line(error)}): put it back, or remove "
                f"{str(self.run.path)!r} and begin again."
            ) from error


def _read_state(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text())
        lacking = next((key for key in (*known, "random_states") if key not in state and key != "step"), None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"The state of the interrupted run {str(path)!r} cannot be read: {one_line(error)}."
        ) from error
    if not isinstance(state, dict) or lacking:
        raise InputError(f"The state of the interrupted run {str(path)!r} is damaged: it lacks {lacking!r}.")
    return state


def _after(steps: int, model: keras.Model) -> Callable[[Any], Any]:
    """The model's training function, called only after so many steps; before, nothing is taken and nothing changes."""
    train, left = model.train_function, steps

    def train_later(iterator: Any) -> Any:
        nonlocal left
        if not left:
            return train(iterator)
        left -= 1
        return model.get_metrics_result()

    return train_later


def _metric_variables(model: keras.Model) -> list[keras.Variable]:
    return [variable for metric in model.metrics for variable in metric.variables]


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The states of the random generators of a model's layers (dropout), which a weights file leaves out."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
