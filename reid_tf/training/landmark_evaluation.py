"""How a pose estimator is judged: by the share of landmarks that it finds near enough to the true ones."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from reid_tf.backbones.folding import fold_normalization
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pipeline.build import input_batches
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.pose.belief_maps import landmarks_of
from reid_tf.pose.cpm import last_beliefs
from reid_tf.pose.landmark_metrics import LandmarkMetrics, landmark_metrics
from reid_tf.progress import is_watched
from reid_tf.report.judgement import Figures, Judgement
from reid_tf.report.landmark_picture import draw_landmarks
from reid_tf.report.landmark_table import landmark_table
from reid_tf.report.picture import write_png
from reid_tf.training.experiment import Experiment
from reid_tf.training.run_directory import RunDirectory
from reid_tf.training.validation import OutputValidation, Validation

PICTURES = 24


class LandmarkEvaluation:
    """Judges the last belief maps of a pose estimator on the query and gallery images that have landmarks.

    Args:
        experiment: `Experiment` whose system's last output are belief maps.

    Raises:
        InputError: no test image has landmarks.
    """

    judged, score = "detector", "val_PCK"

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.model = last_beliefs(experiment.system.model)
        self.test = _with_landmarks(experiment.dataset.query + experiment.dataset.gallery)

    def references(self) -> dict[str, Figures]:
        """Returns the figures of the training images' mean pose, the best answer that does not look."""
        training = _with_landmarks(self.experiment.training.train)
        guess = np.repeat(_mean_pose(_true_landmarks(training))[np.newaxis], len(self.test), axis=0)
        return {"mean_pose": self._compare(guess, self.test).to_dict()}

    def validation(self) -> keras.callbacks.Callback:
        """Returns the callback that writes `val_PCK` and the like."""
        experiment = self.experiment
        outputs = OutputValidation(experiment.system, experiment.training, experiment.config)
        return Validation([lambda: {"val_PCK": self.validate().mean}, outputs], experiment.config.evaluation.interval)

    def judge(self, references: dict[str, Figures], run: RunDirectory) -> Judgement:
        """Finds the test images' landmarks, compares them and draws some."""
        found = self.find(self.test)
        metrics = self._compare(found, self.test)
        write_png(
            run.report / "landmarks.png", draw_landmarks([r.path for r in self.test[:PICTURES]], found[:PICTURES])
        )
        figures = metrics.to_dict()
        rows = {"trained": figures, **{name.replace("_", " "): row for name, row in references.items()}}
        return Judgement(figures, (landmark_table(rows),))

    def describe(self) -> dict[str, Any]:
        """Returns the image size."""
        return {"detector": {"image_size": list(self.experiment.config.image_size)}}

    def validate(self) -> LandmarkMetrics:
        """Judges the validation images, without a picture."""
        training = self.experiment.training
        records = _with_landmarks(training.query + training.gallery)
        return self._compare(self.find(records, verbose=0), records)

    def find(self, records: Sequence[Record], verbose: int = 1) -> np.ndarray:
        """Returns the landmarks float32 [N, 18, 3] that the model finds in the images of records."""
        config = self.experiment.config
        batches = input_batches(records, self.experiment.system.inputs, config.image_size, config.evaluation.batch_size)
        with naming_broken_images(record.path for record in records):
            # Of several workers a copy of the model, as Keras would divide the images among them.
            model = fold_normalization(self.model) if self.experiment.workers else self.model
            return landmarks_of(model.predict(batches, verbose=int(bool(verbose) and is_watched())))

    def _compare(self, found: np.ndarray, records: Sequence[Record]) -> LandmarkMetrics:
        return landmark_metrics(found, _true_landmarks(records), self.experiment.config.image_size)


def _with_landmarks(records: Sequence[Record]) -> list[Record]:
    chosen = [record for record in records if record.landmarks is not None]
    if not chosen:
        raise InputError(f"A pose estimator is judged by landmarks, and none of {len(records)} images has any.")
    return chosen


def _true_landmarks(records: Sequence[Record]) -> np.ndarray:
    return np.stack([record.landmarks for record in records if record.landmarks is not None])


def _mean_pose(landmarks: np.ndarray) -> np.ndarray:
    """The mean [18, 3] of landmarks [N, 18, 3], each over the images that show it: elsewhere its place says nothing."""
    shown = landmarks[..., 2:] > 0
    return np.asarray((landmarks * shown).sum(axis=0) / np.maximum(shown.sum(axis=0), 1))
