"""Pose-constrained triplet loss: one person in two poses is near, two persons in one pose are far apart."""

from typing import Any

import keras
from keras import ops

from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.errors import InputError
from reid_tf.losses.pairwise_distances import DistanceName
from reid_tf.losses.pose_distances import pose_distances
from reid_tf.losses.triplet import Margin, TripletLoss, TripletReduction
from reid_tf.losses.triplet_mining import MiningName
from reid_tf.options import Count, Whole
from reid_tf.registry import METRIC_LOSSES

LABELS = 1 + NUM_LANDMARKS * 3


@METRIC_LOSSES.register("pose_triplet")
@keras.saving.register_keras_serializable(package="reid_tf")
class PoseTripletLoss(TripletLoss):
    """Triplet loss that prefers positives in another pose than the anchor and negatives in the same pose.

    The constraint is our reading: the paper names a "pose-constrained triplet loss" and
    does not define it. The pose of an image is its landmark vector, centred and scaled
    by the box around its visible landmarks; the pose distance of two images is the mean
    Euclidean distance, in boxes, over the landmarks visible in both. Of an anchor's
    positives those at least `different_pose` away are mined, of its negatives those at
    most `same_pose` away. Where an anchor has none of one kind, all of that kind are
    mined. A pair with fewer than `common_landmarks` in common is not constrained: it
    stays. With None for both thresholds it is the plain `TripletLoss`.

    Labels are float32 [batch, 55]: the identity's class index, exact in float32 up to
    16 million, and after it the 18 landmarks (x and y in [0, 1] of the image,
    confidence), flattened.

    Both thresholds are near the median pose distance of two images: 0.28 of one person
    and 0.33 of two persons for MoveNet's landmarks on CUHK03, 0.35 and 0.34 for the
    synthetic pedestrians. They part those who face the same way (0.09 to 0.35 on
    CUHK03, 5 to 95 %) from those seen from the front and from the back, where left and
    right change places (0.33 to 0.53).

    Args:
        different_pose: float >= 0, or None. Least pose distance of a positive; None
            takes all.
        same_pose: float above 0, or None. Largest pose distance of a negative; None
            takes all.
        least_confidence: float in (0, 1]. Below it a landmark is not visible.
        common_landmarks: int, 1 to 18. With fewer, two poses cannot be compared.
        distance: as in `TripletLoss`, like all that follow.
        mining: among the pairs that the constraint leaves.
        margin: float above 0, or "soft".
        normalize: bool.
        hardest: int.
        reduction: "mean", "mean_active" or "sum".
        name: str.

    Raises:
        InputError: an option is out of its range.

    References:
        Liu, Jiang, Zhou and Xu, Person Re-identification with Joint-loss, section III
        C.
    """

    label = "identity_and_pose"

    def __init__(
        self,
        *,
        different_pose: float | None = 0.3,
        same_pose: float | None = 0.3,
        least_confidence: float = 0.2,
        common_landmarks: Whole = 6,
        distance: DistanceName = "euclidean",
        mining: MiningName = "batch_hard",
        margin: Margin = 0.3,
        normalize: bool = False,
        hardest: Count = 4,
        reduction: TripletReduction = "mean",
        name: str = "pose_triplet",
    ) -> None:
        super().__init__(
            distance=distance,
            mining=mining,
            margin=margin,
            normalize=normalize,
            hardest=hardest,
            reduction=reduction,
            name=name,
        )
        if different_pose is not None and not different_pose >= 0:
            raise InputError(f"different_pose must be at least 0, or null. Received: different_pose={different_pose}.")
        if same_pose is not None and not same_pose > 0:
            raise InputError(f"same_pose must be above 0, or null. Received: same_pose={same_pose}.")
        if not 0 < least_confidence <= 1:
            raise InputError(
                f"least_confidence must be above 0 and at most 1. Received: least_confidence={least_confidence}."
            )
        if not 1 <= common_landmarks <= NUM_LANDMARKS:
            raise InputError(
                f"common_landmarks must be 1 to {NUM_LANDMARKS}. Received: common_landmarks={common_landmarks}."
            )
        self.different_pose, self.same_pose = different_pose, same_pose
        self.least_confidence, self.common_landmarks = least_confidence, common_landmarks

    def identities(self, labels: Any) -> Any:
        """Who is in each image.

        Args:
            labels: float32 [..., 55]. What the loss takes as `y_true`.

        Returns:
            float32 [...], whole numbers.

        Raises:
            InputError: the labels have another width.
        """
        if labels.shape[-1] != LABELS:
            raise InputError(
                f"The pose-constrained triplet loss takes labels [batch, {LABELS}], an identity and {NUM_LANDMARKS} "
                f"landmarks. Received: {list(labels.shape)}."
            )
        return labels[..., 0]

    def candidates(self, labels: Any) -> tuple[Any, Any]:
        """The pairs that triplets are mined from.

        Args:
            labels: float32 [..., 55]. What the loss takes as `y_true`.

        Returns:
            Two bool [images, images], one row per anchor: the positives and the
            negatives that the constraint leaves.
        """
        positives, negatives = super().candidates(labels)
        landmarks = ops.reshape(ops.cast(labels[..., 1:], "float32"), (-1, NUM_LANDMARKS, 3))
        distances, known = pose_distances(landmarks, self.least_confidence, self.common_landmarks)
        unknown = ops.logical_not(known)
        if self.different_pose is not None:
            positives = preferred(positives, unknown | (distances >= self.different_pose))
        if self.same_pose is not None:
            negatives = preferred(negatives, unknown | (distances <= self.same_pose))
        return positives, negatives

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "different_pose": self.different_pose,
            "same_pose": self.same_pose,
            "least_confidence": self.least_confidence,
            "common_landmarks": self.common_landmarks,
        }


def preferred(pairs: Any, wanted: Any) -> Any:
    """Each anchor's pairs that are wanted, or all of its pairs where none is.

    Args:
        pairs: bool [images, images]. The anchor is the row.
        wanted: bool [images, images].

    Returns:
        bool [images, images].
    """
    both = pairs & wanted
    return ops.where(ops.any(both, axis=1, keepdims=True), both, pairs)
