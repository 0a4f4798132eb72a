"""Values that are made from logged values, and a warning when those say that an embedding collapses."""

import datetime
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

import keras

from reid_tf.losses import TripletLoss

logger = logging.getLogger(__name__)

# Two persons' images a tenth of the margin apart on average: the loss then stays near the margin and cannot fall.
COLLAPSED = 0.1


class CombinedMetrics(keras.callbacks.Callback):
    """Writes weighted sums of an epoch's logged values into the logs.

    Args:
        combined: mapping from a new name to the weights of logged values, as in
            `System.combined_metrics`.
    """

    def __init__(self, combined: Mapping[str, Mapping[str, float]]) -> None:
        super().__init__()
        self.combined = combined

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sums."""
        if logs is not None:
            for name, weights in self.combined.items():
                logs[name] = sum(weight * float(logs[key]) for key, weight in weights.items())


class EpochLine(keras.callbacks.Callback):
    """Logs one line per epoch, for a log that nobody watches: figures, speed and the time left.

    Args:
        images: int. Images that an epoch shows the model.
    """

    def __init__(self, images: int) -> None:
        super().__init__()
        self.images, self.began, self.seconds = images, 0.0, 0.0
        self.epochs_done = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the line."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        self.seconds, self.epochs_done = self.seconds + seconds, self.epochs_done + 1
        left = (self.params["epochs"] - epoch - 1) * self.seconds / self.epochs_done
        figures = ", ".join(f"{name} {float(value):.4g}" for name, value in (logs or {}).items())
        logger.info(
            "epoch %d/%d: %s; %.0f images/s, %s left",
            epoch + 1,
            self.params["epochs"],
            figures,
            self.images / seconds,
            datetime.timedelta(seconds=round(left)),
        )


class CollapseWarning(keras.callbacks.Callback):
    """Warns, once, when the embeddings of different persons fall together.

    Args:
        losses: mapping from output to loss; the triplet losses among them are watched
            by their `negative_distance`.
        trained: outputs that train, or None for all of them.
    """

    def __init__(self, losses: Mapping[str, keras.losses.Loss], trained: Collection[str] | None = None) -> None:
        super().__init__()
        self.prefix = len(losses) > 1  # Keras leaves a single output's name out of the logs
        self.margins = {
            output: 1.0 if loss.hinge is None else loss.hinge
            for output, loss in losses.items()
            if isinstance(loss, TripletLoss) and (trained is None or output in trained)
        }

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compares the mean distance between different persons with the margin (1 where it is soft)."""
        for output, margin in list(self.margins.items()):
            distance = float((logs or {})[f"{output}_negative_distance" if self.prefix else "negative_distance"])
            if distance < COLLAPSED * margin:
                logger.warning(
                    "The embedding collapses: in epoch %d images of different persons are %.3g apart on average, for a "
                    "margin of %.3g. A lower learning rate, a softer mining (all, semi_hard) or an identity output "
                    "usually cures it.",
                    epoch + 1,
                    distance,
                    margin,
                )
                del self.margins[output]
