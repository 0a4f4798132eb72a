"""Triplet loss: an image lies nearer to images of the same person than to those of others, by a margin."""

import math
from typing import Any, Literal, get_args

import keras
from keras import ops

from reid_tf.errors import InputError
from reid_tf.losses.pairwise_distances import DISTANCES, DistanceName, as_images, normalized
from reid_tf.losses.triplet_mining import MiningName, Triplets, mine
from reid_tf.options import Count
from reid_tf.registry import METRIC_LOSSES

Margin = float | Literal["soft"]
TripletReduction = Literal["mean", "mean_active", "sum"]


def triplet_losses(triplets: Triplets, margin: float | None) -> Any:
    """Loss of each triplet.

    Args:
        triplets: `Triplets` [batch, triplets].
        margin: float for the hinge max(0, margin + d(a, p) - d(a, n)), or None for
            log(1 + exp(d(a, p) - d(a, n))).

    Returns:
        float [batch, triplets]; 0 where the triplet is not valid.
    """
    difference = ops.where(triplets.valid, triplets.positive - triplets.negative, 0.0)
    losses = ops.softplus(difference) if margin is None else ops.relu(margin + difference)
    return ops.where(triplets.valid, losses, 0.0)


def reduce_triplets(losses: Any, valid: Any, reduction: TripletReduction) -> Any:
    """One value per anchor from the losses of its triplets.

    Args:
        losses: float [batch, triplets]. 0 where not valid.
        valid: bool [batch, triplets].
        reduction: "mean" over the anchor's triplets, "mean_active" over those with a
            loss above 0, or "sum".

    Returns:
        float [batch]; 0 for an anchor without triplets.
    """
    total = ops.sum(losses, axis=1)
    if reduction == "sum":
        return total
    counted = valid if reduction == "mean" else losses > 0.0
    return total / ops.maximum(ops.sum(ops.cast(counted, losses.dtype), axis=1), 1.0)


@METRIC_LOSSES.register("triplet")
@keras.saving.register_keras_serializable(package="reid_tf")
class TripletLoss(keras.losses.Loss):
    """Triplet loss over the triplets inside a batch: a distance, a mining and a margin.

    Under a distribution strategy triplets are formed within each replica's share of the
    batch.

    Args:
        distance: "euclidean", "squared_euclidean" or "cosine".
        mining: "batch_hard" (farthest positive, nearest negative), "all", "semi_hard"
            (negatives within the margin) or "hardest_negatives" (for every positive
            pair).
        margin: float above 0, or "soft". 0.3 is the field's habit for Euclidean
            distances; "soft" has none to choose.
        normalize: bool. Whether embeddings are scaled to unit length first. The cosine
            distance does not depend on it.
        hardest: int. Negatives for each positive pair, where mining is
            "hardest_negatives"; 4 as Wang and Gupta.
        reduction: "mean" over an anchor's triplets, then over all anchors;
            "mean_active", where an anchor's triplets without a loss do not count (for
            several triplets per anchor; anchors still count all); or "sum" over all
            triplets and anchors, as ShareNet's equation has it.
        name: str.

    Raises:
        InputError: an option is not among the allowed ones, the margin is not positive
            or `hardest` is below 1.

    References:
        Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person
        Re-Identification (batch hard, soft margin).
    """

    label = "identity"  # of the batch, see `pipeline.labels.Labels`

    def __init__(
        self,
        *,
        distance: DistanceName = "euclidean",
        mining: MiningName = "batch_hard",
        margin: Margin = 0.3,
        normalize: bool = False,
        hardest: Count = 4,
        reduction: TripletReduction = "mean",
        name: str = "triplet",
    ) -> None:
        super().__init__(name=name, reduction="sum" if reduction == "sum" else "sum_over_batch_size", dtype="float32")
        for option, value, allowed in (
            ("distance", distance, get_args(DistanceName)),
            ("mining", mining, get_args(MiningName)),
            ("reduction", reduction, get_args(TripletReduction)),
        ):
            if value not in allowed:
                raise InputError(f"{option} must be one of {', '.join(allowed)}. Received: {option}={value!r}.")
        if margin != "soft" and not (isinstance(margin, int | float) and 0 < margin < math.inf):
            raise InputError(f"margin must be a number above 0, or 'soft'. Received: margin={margin!r}.")
        if hardest < 1:
            raise InputError(f"hardest must be at least 1. Received: hardest={hardest}.")
        self.distance, self.mining, self.margin = distance, mining, margin
        self.normalize, self.hardest, self.triplet_reduction = normalize, hardest, reduction

    @property
    def ranking_distance(self) -> str:
        """The retrieval distance that ranks as the loss compares: "cosine" or "euclidean"."""
        return "cosine" if self.normalize or self.distance == "cosine" else "euclidean"

    @property
    def hinge(self) -> float | None:
        """The margin as a number, or None where it is soft."""
        return None if self.margin == "soft" else float(self.margin)

    def distances(self, embeddings: Any) -> Any:
        """The distances that the loss compares.

        Args:
            embeddings: float [batch, dim], or [batch, 2, dim] for pairs.

        Returns:
            float32 [images, images].
        """
        embeddings = as_images(embeddings)
        return DISTANCES[self.distance](normalized(embeddings) if self.normalize else embeddings)

    def identities(self, labels: Any) -> Any:
        """Who is in each image.

        Args:
            labels: int [batch] or [batch, 2]. What the loss takes as `y_true`.

        Returns:
            int [batch] or [batch, 2].
        """
        return labels

    def candidates(self, labels: Any) -> tuple[Any, Any]:
        """The pairs that triplets are mined from.

        Args:
            labels: int [batch] or [batch, 2]. What the loss takes as `y_true`.

        Returns:
            Two bool [images, images], one row per anchor: the positives and the
            negatives.
        """
        return pair_masks(self.identities(labels))

    def mine(self, labels: Any, embeddings: Any) -> Triplets:
        """The triplets that the loss looks at.

        Args:
            labels: int [batch] or [batch, 2]. What the loss takes as `y_true`.
            embeddings: float [batch, dim] or [batch, 2, dim].

        Returns:
            `Triplets` of all images of the batch.
        """
        distances = self.distances(embeddings)
        positives, negatives = self.candidates(labels)
        return mine(self.mining, distances, positives, negatives, self.hinge, self.hardest)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each anchor; every image of the batch is one.

        Args:
            y_true: int [batch] or [batch, 2]. Identities.
            y_pred: float [batch, dim] or [batch, 2, dim]. Embeddings.

        Returns:
            float32, of the shape of `y_true`. 0 for an anchor without a positive or a
            negative in the batch.
        """
        triplets = self.mine(y_true, y_pred)
        values = reduce_triplets(triplet_losses(triplets, self.hinge), triplets.valid, self.triplet_reduction)
        return ops.reshape(values, ops.shape(y_pred)[:-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "distance": self.distance,
            "mining": self.mining,
            "margin": self.margin,
            "normalize": self.normalize,
            "hardest": self.hardest,
            "reduction": self.triplet_reduction,
            "name": self.name,
        }


def pair_masks(identities: Any) -> tuple[Any, Any]:
    """Which pairs of a batch are positive and which negative.

    Args:
        identities: int, any shape; flattened to [images].

    Returns:
        Two bool [images, images]: two different images of one person, and images of two
        persons.
    """
    identities = ops.reshape(ops.cast(identities, "int32"), (-1,))
    same = identities[:, None] == identities[None, :]
    itself = ops.arange(ops.shape(identities)[0])
    return same & (itself[:, None] != itself[None, :]), ops.logical_not(same)
