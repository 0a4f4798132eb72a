"""What to watch while a triplet loss trains: a loss that stands at the margin says too little."""

from typing import Any

import keras
from keras import ops

from reid_tf.losses.triplet import TripletLoss, pair_masks, triplet_losses

# A softened loss is never zero; below this much the triplet counts as satisfied.
SATISFIED = 1e-3


def triplet_metrics(loss: TripletLoss) -> list[keras.metrics.Metric]:
    """Metrics of the triplets that a loss looks at, averaged over the batches of an epoch.

    Args:
        loss: `TripletLoss`.

    Returns:
        "active_triplets", the share of mined triplets with a loss above 0; "positive_distance" and "negative_distance",
        the mean distances between two images of one person and of two persons. When both distances go towards zero the
        embedding collapses to a point.
    """

    def active_triplets(y_true: Any, y_pred: Any) -> Any:
        triplets = loss.mine(y_true, y_pred)
        active = triplet_losses(triplets, loss.hinge) > SATISFIED
        return _share(active, triplets.valid)

    def positive_distance(y_true: Any, y_pred: Any) -> Any:
        return _share(loss.distances(y_pred), pair_masks(y_true)[0])

    def negative_distance(y_true: Any, y_pred: Any) -> Any:
        return _share(loss.distances(y_pred), pair_masks(y_true)[1])

    functions = (active_triplets, positive_distance, negative_distance)
    return [keras.metrics.MeanMetricWrapper(function, function.__name__, dtype="float32") for function in functions]


def _share(values: Any, mask: Any) -> Any:
    """The mean of `values` where `mask` is true; 0 where it nowhere is."""
    mask = ops.cast(mask, "float32")
    return ops.sum(ops.cast(values, "float32") * mask) / ops.maximum(ops.sum(mask), 1.0)
