"""What to watch while a triplet loss trains: a loss that stays at the margin says too little."""

import abc
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
        "active_triplets", the share of mined triplets with a loss above 0;
        "positive_distance" and "negative_distance", the mean distances between any two
        images of one person and of two persons. When both distances go towards zero the
        embedding collapses to a point.
    """
    return [ActiveTriplets(loss), PositiveDistance(loss), NegativeDistance(loss)]


class _MeanOfBatches(keras.metrics.Mean, abc.ABC):
    """The mean of some of the values that a batch gives; a batch without any of them changes nothing.

    Args:
        loss: `TripletLoss`. Says what is mined and how far apart two embeddings are.
        name: str.
    """

    def __init__(self, loss: TripletLoss, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.loss = loss

    @abc.abstractmethod
    def values(self, labels: Any, embeddings: Any) -> tuple[Any, Any]:
        """Returns the values of a batch, and a mask of the same shape that says which of them count."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts a batch.

        Args:
            y_true: labels, as the loss takes them.
            y_pred: float [batch, dim] or [batch, 2, dim]. Embeddings.
            sample_weight: ignored; the mask says what counts.
        """
        values, mask = (ops.cast(ops.reshape(part, (-1,)), "float32") for part in self.values(y_true, y_pred))
        super().update_state(values, mask)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"loss": keras.saving.serialize_keras_object(self.loss), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_MeanOfBatches":
        """Rebuilds the metric from `get_config()`."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


@keras.saving.register_keras_serializable(package="reid_tf")
class ActiveTriplets(_MeanOfBatches):
    """Share of the mined triplets that are not satisfied yet.

    Args:
        loss: `TripletLoss`.
        name: str.
    """

    def __init__(self, loss: TripletLoss, name: str = "active_triplets") -> None:
        super().__init__(loss, name)

    def values(self, labels: Any, embeddings: Any) -> tuple[Any, Any]:
        """Returns which triplets [batch, triplets] are active, and which of them are valid."""
        triplets = self.loss.mine(labels, embeddings)
        return triplet_losses(triplets, self.loss.hinge) > SATISFIED, triplets.valid


@keras.saving.register_keras_serializable(package="reid_tf")
class PositiveDistance(_MeanOfBatches):
    """Mean distance between two images of one person.

    Args:
        loss: `TripletLoss`.
        name: str.
    """

    def __init__(self, loss: TripletLoss, name: str = "positive_distance") -> None:
        super().__init__(loss, name)

    def values(self, labels: Any, embeddings: Any) -> tuple[Any, Any]:
        """Returns the distances [images, images], and which of the pairs show one person."""
        return self.loss.distances(embeddings), pair_masks(self.loss.identities(labels))[0]


@keras.saving.register_keras_serializable(package="reid_tf")
class NegativeDistance(_MeanOfBatches):
    """Mean distance between images of two persons.

    Args:
        loss: `TripletLoss`.
        name: str.
    """

    def __init__(self, loss: TripletLoss, name: str = "negative_distance") -> None:
        super().__init__(loss, name)

    def values(self, labels: Any, embeddings: Any) -> tuple[Any, Any]:
        """Returns the distances [images, images], and which of the pairs show two persons."""
        return self.loss.distances(embeddings), pair_masks(self.loss.identities(labels))[1]
