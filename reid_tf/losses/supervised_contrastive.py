"""Supervised contrastive loss: a softmax over the batch's other images, whose right answers are those of the person."""

from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError
from reid_tf.losses.pairwise_distances import as_images, log_probabilities_of_others, normalized
from reid_tf.losses.triplet import pair_masks
from reid_tf.registry import METRIC_LOSSES


def supervised_contrastive(identities: Any, embeddings: Any, temperature: float) -> Any:
    """For each image, the mean over its positives of -log softmax of their similarity among all other images.

    Args:
        identities: int [images].
        embeddings: float [images, dim], of unit length.
        temperature: float above 0. Divides the cosines.

    Returns:
        float [images]; 0 for an image without a positive.

    References:
        Khosla et al., Supervised Contrastive Learning, equation 2.
    """
    positives, _ = pair_masks(identities)
    log_probabilities = log_probabilities_of_others(embeddings, temperature)  # [images, images]
    count = ops.sum(ops.cast(positives, log_probabilities.dtype), axis=1)
    total = ops.sum(ops.where(positives, log_probabilities, 0.0), axis=1)
    return -total / ops.maximum(count, 1.0)


@METRIC_LOSSES.register("supervised_contrastive")
@keras.saving.register_keras_serializable(package="reid_tf")
class SupervisedContrastiveLoss(keras.losses.Loss):
    """`supervised_contrastive` of embeddings that are scaled to unit length here.

    Under a distribution strategy images are compared within each replica's share of the
    batch.

    Args:
        temperature: float above 0. 0.1 as in the paper.
        name: str.

    Raises:
        InputError: the temperature is not positive.
    """

    label = "identity"
    ranking_distance = "cosine"

    def __init__(self, *, temperature: float = 0.1, name: str = "supervised_contrastive") -> None:
        super().__init__(name=name, dtype="float32")
        if not temperature > 0:
            raise InputError(f"temperature must be above 0. Received: temperature={temperature}.")
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image of the batch.

        Args:
            y_true: int [batch] or [batch, 2]. Identities.
            y_pred: float [batch, dim] or [batch, 2, dim]. Embeddings.

        Returns:
            float32, of the shape of `y_true`. 0 for an image without a positive in the
            batch.
        """
        values = supervised_contrastive(ops.reshape(y_true, (-1,)), normalized(as_images(y_pred)), self.temperature)
        return ops.reshape(values, ops.shape(y_pred)[:-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"temperature": self.temperature, "name": self.name}
