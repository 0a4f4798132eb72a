"""Circle loss: each similarity of a batch is pulled as hard as it is far from where it should be."""

from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError
from reid_tf.losses.pairwise_distances import as_images, normalized
from reid_tf.registry import METRIC_LOSSES


@METRIC_LOSSES.register("circle")
@keras.saving.register_keras_serializable(package="reid_tf")
class CircleLoss(keras.losses.Loss):
    """Keras' own circle loss on embeddings that are scaled to unit length here.

    Under a distribution strategy pairs are formed within each replica's share of the
    batch.

    Args:
        gamma: float above 0. Scale of the similarities.
        margin: float in (0, 1). How far from 1 a positive's and from 0 a negative's
            similarity may stay.
        name: str.

    Raises:
        InputError: an option is out of its range.

    References:
        Sun et al., Circle Loss: A Unified Perspective of Pair Similarity Optimization,
        equation 6; 0.25 and 128 are its values for person re-identification.
    """

    label = "identity"
    ranking_distance = "cosine"

    def __init__(self, *, gamma: float = 128.0, margin: float = 0.25, name: str = "circle") -> None:
        super().__init__(name=name, dtype="float32")
        if not gamma > 0:
            raise InputError(f"gamma must be above 0. Received: gamma={gamma}.")
        if not 0 < margin < 1:
            raise InputError(f"margin must be between 0 and 1. Received: margin={margin}.")
        self.gamma, self.margin = gamma, margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image of the batch, compared with all others.

        Args:
            y_true: int [batch] or [batch, 2]. Identities.
            y_pred: float [batch, dim] or [batch, 2, dim]. Embeddings.

        Returns:
            float32, of the shape of `y_true`. 0 for an image without a positive or a
            negative in the batch.
        """
        identities = ops.reshape(y_true, (-1,))
        values = keras.losses.circle(identities, normalized(as_images(y_pred)), gamma=self.gamma, margin=self.margin)
        return ops.reshape(values, ops.shape(y_pred)[:-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"gamma": self.gamma, "margin": self.margin, "name": self.name}
