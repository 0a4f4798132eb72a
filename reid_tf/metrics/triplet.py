"""What to watch while a triplet loss trains: a loss that stands at the margin says too little."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from reid_tf.losses.triplet import TripletLoss, pair_masks, triplet_losses

# A softened loss is never zero; below this much the triplet counts as satisfied.
SATISFIED = 1e-3


def triplet_metrics(loss: TripletLoss) -> list[keras.metrics.Metric]:
    """Metrics of the triplets that a loss looks at, over an epoch.

    Args:
        loss: `TripletLoss`.

    Returns:
        "active_triplets", the share of mined triplets with a loss above 0; "positive_distance" and "negative_distance",
        the mean distances between any two images of one person and of two persons. When both distances go towards zero
        the embedding collapses to a point.
    """

    def active_triplets(labels: Any, embeddings: Any) -> tuple[Any, Any]:
        triplets = loss.mine(labels, embeddings)
        return triplet_losses(triplets, loss.hinge) > SATISFIED, triplets.valid

    def positive_distance(labels: Any, embeddings: Any) -> tuple[Any, Any]:
        return loss.distances(embeddings), pair_masks(loss.identities(labels))[0]

    def negative_distance(labels: Any, embeddings: Any) -> tuple[Any, Any]:
        return loss.distances(embeddings), pair_masks(loss.identities(labels))[1]

    return [
        MaskedMean(function, function.__name__) for function in (active_triplets, positive_distance, negative_distance)
    ]


class MaskedMean(keras.metrics.Mean):
    """The mean of some of the values that a function gives; a batch without any of them changes nothing.

    Args:
        function: function of labels and outputs to values and a mask of the same shape.
        name: str.
    """

    def __init__(self, function: Callable[[Any, Any], tuple[Any, Any]], name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.function = function

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts a batch.

        Args:
            y_true: labels, as the function takes them.
            y_pred: outputs, as the function takes them.
            sample_weight: ignored; the mask says what counts.
        """
        values, mask = (ops.cast(ops.reshape(part, (-1,)), "float32") for part in self.function(y_true, y_pred))
        super().update_state(values, mask)
