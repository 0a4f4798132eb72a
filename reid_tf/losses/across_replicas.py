"""A loss among the images of a batch that is divided over several devices: each compares its share with all of it."""

from typing import Any

import keras
from keras import ops

from reid_tf.losses.class_head import ClassHeadLoss


@keras.saving.register_keras_serializable(package="reid_tf")
class AcrossReplicas(keras.losses.Loss):
    """A loss whose images are compared with those of all replicas, as one device would compare them.

    Labels and embeddings are gathered first; gradients go back to the replica that an
    embedding came from. On one replica it is the loss itself. All replicas must have
    equally many images.

    Args:
        loss: keras loss of labels [batch, ...] and embeddings [batch, ...], with one
            value for each row.
    """

    def __init__(self, loss: keras.losses.Loss) -> None:
        super().__init__(name=loss.name, reduction=loss.reduction, dtype="float32")
        self.loss = loss
        self.label = loss.label

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of the rows of this replica.

        Args:
            y_true: [batch, ...]. What the loss takes.
            y_pred: float [batch, ...]. Embeddings.

        Returns:
            float32, what the loss returns for these rows among all.
        """
        if keras.backend.backend() != "tensorflow":
            return self.loss.call(y_true, y_pred)
        from reid_tf.tensorflow_operations import gathered_from_replicas, number_of_replicas

        if number_of_replicas() == 1:
            return self.loss.call(y_true, y_pred)
        labels, _ = gathered_from_replicas(y_true)
        embeddings, begin = gathered_from_replicas(y_pred)
        values = self.loss.call(labels, embeddings)
        return ops.slice(values, (begin, *[0] * (len(values.shape) - 1)), (ops.shape(y_pred)[0], *values.shape[1:]))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AcrossReplicas":
        """Makes it of the constructor's arguments."""
        return cls(keras.saving.deserialize_keras_object(config["loss"]))


def compares_images(loss: keras.losses.Loss) -> bool:
    """Says whether a loss compares the images of a batch with each other.

    Args:
        loss: keras loss.
    """
    return hasattr(loss, "label") and not isinstance(loss, ClassHeadLoss)
