"""Centre loss: images of one person gather around a point that is learnt with them."""

from typing import Any

import keras

from reid_tf.layers.class_vectors import CentreDistances
from reid_tf.losses.class_head import ClassHeadLoss, of_true_class
from reid_tf.registry import METRIC_LOSSES


@METRIC_LOSSES.register("centre")
@keras.saving.register_keras_serializable(package="reid_tf")
class CentreLoss(ClassHeadLoss):
    """Half the squared distance of an embedding to its person's centre; beside another loss, with a small weight.

    Alone it is least where everything lies on one point. The centres are weights that
    the optimizer moves, at the rate of all others; the paper moves them by an average
    of its own. A model puts `CentreDistances` between its embedding and the loss.

    Args:
        name: str.

    References:
        Wen et al., A Discriminative Feature Learning Approach for Deep Face
        Recognition, equation 2; Luo et al., Bag of Tricks and a Strong Baseline for
        Deep Person Re-identification, equation 6, with weight 0.0005.
    """

    ranking_distance = "euclidean"
    head_layer = CentreDistances

    def __init__(self, *, name: str = "centre") -> None:
        super().__init__(name=name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image.

        Args:
            y_true: int [batch] or [batch, 2]. Classes.
            y_pred: float [batch, classes] or [batch, 2, classes]. Squared distances.

        Returns:
            float32, of the shape of `y_true`.
        """
        return 0.5 * of_true_class(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}
