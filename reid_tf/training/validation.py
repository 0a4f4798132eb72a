"""What is measured on people held out of the training, every few epochs."""

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from reid_tf.config import ExperimentConfig
from reid_tf.datasets.record import Record, ReIDDataset, class_of_identity
from reid_tf.models.system import System
from reid_tf.options import Component
from reid_tf.pipeline.build import build_batches
from reid_tf.training.averaging import averaged_weights
from reid_tf.training.batches import make_sampler, tells_training_people

logger = logging.getLogger(__name__)

Values = dict[str, float]


class Validation(keras.callbacks.Callback):
    """Measures every few epochs and after the last one of each stage, and writes the values into the logs.

    At the end the log says which share of the time that took.

    Args:
        measures: functions without arguments that return values by their names in the
            logs.
        every: int >= 1. Epochs between two validations.
    """

    def __init__(self, measures: Sequence[Callable[[], Mapping[str, float]]], every: int) -> None:
        super().__init__()
        self.measures, self.every = measures, every
        self.began, self.seconds = 0.0, 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.began, self.seconds = time.monotonic(), 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures, when it is this epoch's turn."""
        if (epoch + 1) % self.every and epoch + 1 != self.params["epochs"]:
            return
        began = time.monotonic()
        values: Values = {}
        with averaged_weights(self.model):
            for measure in self.measures:
                values.update(measure())
        self.seconds += time.monotonic() - began
        if logs is not None:
            logs.update(values)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Says what it cost."""
        taken = max(time.monotonic() - self.began, 1e-9)
        logger.info("validation took %.1f %% of the time", 100 * self.seconds / taken)


class OutputValidation:
    """Losses and metrics of a system's outputs on the validation images, in batches like those of the training.

    Images are not augmented, and the batches are the same each time. An output that
    tells the training people apart (a softmax over them) has no classes for others, and
    no value here, nor has one that follows a teacher; where the images show one person,
    no output has.

    Args:
        system: `System`.
        dataset: `ReIDDataset`. Its query and gallery are the validation images.
        config: `ExperimentConfig`. Its batches, as far as there are as many people and
            images.
    """

    def __init__(self, system: System, dataset: ReIDDataset, config: ExperimentConfig) -> None:
        self.system = system
        self.outputs = [
            output
            for output, target in system.targets.items()
            if target != "teacher" and not tells_training_people(system, output)
        ]
        images = {record.path: record for record in dataset.query + dataset.gallery}
        if len({record.identity for record in images.values()}) < 2:
            self.outputs = []
        if not self.outputs:
            return
        held_out = dataclasses.replace(dataset, train=tuple(images.values()))
        component = _as_far_as_there_are(config.batches, held_out.train)
        self.sampler = make_sampler(component, held_out, system, epochs=1, seed=config.seed, replicas=1)
        self.batches = build_batches(
            held_out.train,
            class_of_identity(held_out.train),
            self.sampler,
            image_size=config.image_size,
            inputs=system.inputs,
            targets={output: system.targets[output] for output in self.outputs},
            seed=config.seed,
            epochs=1,
            attribute_schema=dataset.attribute_schema,
        )

    def __call__(self) -> Values:
        """Returns means over the batches: `val_OUTPUT_loss` and `val_OUTPUT_METRIC`, without OUTPUT where it is one."""
        if not self.outputs:
            return {}
        losses: dict[str, list[float]] = {output: [] for output in self.outputs}
        metrics = {
            output: [type(metric).from_config(metric.get_config()) for metric in self.system.metrics.get(output, ())]
            for output in self.outputs
        }
        for inputs, targets in self.batches:
            found = self.system.model.predict_on_batch(inputs)
            for output in self.outputs:
                label = targets[output]
                # On several replicas each has predicted the whole batch.
                predicted = found[output][: len(label)]
                losses[output].append(float(self.system.losses[output](label, predicted)))
                for metric in metrics[output]:
                    metric.update_state(label, predicted)
        values = {}
        for output in self.outputs:
            prefix = f"val_{output}_" if len(self.system.losses) > 1 else "val_"
            values[f"{prefix}loss"] = float(np.mean(losses[output]))
            values |= {f"{prefix}{metric.name}": float(metric.result()) for metric in metrics[output]}
        return values


def _as_far_as_there_are(batches: Component, records: Sequence[Record]) -> dict[str, Any]:
    """The component of the training's sampler, its batches no larger than the images and people there are."""
    most = {"batch_size": len(records), "identities_per_batch": len({record.identity for record in records})}
    return {option: min(value, most[option]) if option in most else value for option, value in batches.items()}
