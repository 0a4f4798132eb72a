"""Squared error of belief maps against landmarks, whose maps are drawn in the loss."""

import math
from typing import Any, Literal

import keras
from keras import ops

from reid_tf.errors import InputError


def draw_belief_maps(landmarks: Any, map_size: tuple[int, int], sigma: float) -> Any:
    """Draws what a pose machine should believe: at each landmark a Gaussian as high as its confidence.

    A landmark is drawn where it is, between the centres of cells too. One of confidence
    0 is not in the picture, and its map is empty. The paper's peaks are all 1 high;
    where hidden landmarks have less confidence, lower ones also say what the camera
    sees of a person, which tells left from right: the machine learns that much faster.

    Args:
        landmarks: float [batch, points, 3]. x and y in [0, 1] of the image, confidence.
        map_size: (int, int). Height and width of the maps in cells.
        sigma: float above 0. Standard deviation of the Gaussians, in cells.

    Returns:
        float32 [batch, height, width, points]. In [0, 1].

    References:
        Wei et al., Convolutional Pose Machines, section 3.3.
    """
    landmarks = ops.cast(landmarks, "float32")
    height, width = map_size
    # Cell 0 reaches from 0 to 1 / width of the image: its centre is half a cell from the edge.
    columns = ops.arange(width, dtype="float32")[None, :, None] + 0.5  # [1, width, 1]
    rows = ops.arange(height, dtype="float32")[None, :, None] + 0.5
    across = ops.square(columns - landmarks[:, None, :, 0] * width)  # [batch, width, points]
    down = ops.square(rows - landmarks[:, None, :, 1] * height)  # [batch, height, points]
    maps = ops.exp(-(down[:, :, None] + across[:, None]) / (2.0 * sigma**2))
    return maps * landmarks[:, None, None, :, 2]


def belief_map_error(landmarks: Any, beliefs: Any, sigma: float = 1.0, peak_weight: float = 0.0) -> Any:
    """Squared error of belief maps, summed over the cells, averaged over the maps, one value per image.

    The sum is divided by that of one squared Gaussian, pi * sigma^2: whatever the size
    of the map, one that misses its landmark altogether costs 1, and one that sees it in
    a wrong place 2 (both without a peak weight).

    Args:
        landmarks: float [batch, points, 3]. x and y in [0, 1] of the image, confidence;
            0 = not in the picture.
        beliefs: float [batch, height, width, points + 1]. One map per landmark, and the
            background's: 1 minus the highest of the others.
        sigma: float above 0. Standard deviation of the drawn Gaussians, in cells.
        peak_weight: float >= 0. How much more than elsewhere an error counts at the
            very peak, in proportion to the Gaussian around it.

    Returns:
        float32 [batch].

    References:
        Wei et al., Convolutional Pose Machines, section 3.3 (the sum, without weights).
    """
    beliefs = ops.cast(beliefs, "float32")
    peaks = draw_belief_maps(landmarks, (beliefs.shape[1], beliefs.shape[2]), sigma)
    highest = ops.max(peaks, axis=-1, keepdims=True)
    ideal = ops.concatenate([peaks, 1.0 - highest], axis=-1)
    errors = ops.square(beliefs - ideal) * (1.0 + peak_weight * ops.concatenate([peaks, highest], axis=-1))
    return ops.sum(ops.mean(errors, axis=-1), axis=(1, 2)) / (math.pi * sigma**2)


@keras.saving.register_keras_serializable(package="reid_tf")
class BeliefMapError(keras.losses.Loss):
    """`belief_map_error` as a Keras loss.

    Args:
        sigma: float above 0. Standard deviation of the drawn Gaussians, in cells.
        peak_weight: float >= 0. Extra weight of errors at the peaks. 0 is the paper's
            loss; above it a network learns faster that maps are not empty, which nearly
            all of their cells tell it.
        reduction: "mean" over the batch, or "sum".
        name: str.

    Raises:
        InputError: a value is outside its range.
    """

    def __init__(
        self,
        sigma: float = 1.0,
        peak_weight: float = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        name: str = "belief_map_error",
    ) -> None:
        # float32 whatever the policy: bfloat16 would move the landmarks by up to half a cell.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if not sigma > 0.0:
            raise InputError(f"sigma must be positive. Received: sigma={sigma}.")
        if not peak_weight >= 0.0:
            raise InputError(f"peak_weight must not be negative. Received: peak_weight={peak_weight}.")
        self.sigma, self.peak_weight = sigma, peak_weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image.

        Args:
            y_true: float [batch, points, 3]. Landmarks.
            y_pred: float [batch, height, width, points + 1]. Belief maps.

        Returns:
            float32 [batch].
        """
        return belief_map_error(y_true, y_pred, self.sigma, self.peak_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "sigma": self.sigma,
            "peak_weight": self.peak_weight,
            "reduction": self.reduction,
            "name": self.name,
        }
