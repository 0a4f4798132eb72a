"""Which triplets of a batch a loss looks at.

A mining function takes the pairwise distances [batch, batch] and which of the pairs are
positive (two images of one person) and which negative, both bool [batch, batch]; it
returns `Triplets`. The anchor is the row.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from keras import ops

MiningName = Literal["batch_hard", "all", "semi_hard", "hardest_negatives"]


class Triplets(NamedTuple):
    """The triplets of each anchor.

    Args:
        positive: float [batch, triplets]. Distance from the anchor to its positive; any
            number where not valid.
        negative: float [batch, triplets]. Distance from the anchor to its negative.
        valid: bool [batch, triplets]. Whether the triplet is one of those mined.
    """

    positive: Any
    negative: Any
    valid: Any


def batch_hard(distances: Any, positives: Any, negatives: Any) -> Triplets:
    """One triplet per anchor: the farthest positive and the nearest negative.

    Args:
        distances: float [batch, batch].
        positives: bool [batch, batch].
        negatives: bool [batch, batch].

    Returns:
        `Triplets` [batch, 1].

    References:
        Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person
        Re-Identification, equation 5.
    """
    positive = ops.max(ops.where(positives, distances, 0.0), axis=1, keepdims=True)
    farthest = ops.max(distances, axis=1, keepdims=True)
    negative = ops.min(ops.where(negatives, distances, farthest), axis=1, keepdims=True)
    valid = ops.any(positives, axis=1, keepdims=True) & ops.any(negatives, axis=1, keepdims=True)
    return Triplets(positive, negative, valid)


def all_triplets(distances: Any, positives: Any, negatives: Any) -> Triplets:
    """Every positive of an anchor with every negative.

    Args:
        distances: float [batch, batch].
        positives: bool [batch, batch].
        negatives: bool [batch, batch].

    Returns:
        `Triplets` [batch, batch * batch].
    """
    batch = ops.shape(distances)[0]
    positive = ops.repeat(distances, batch, axis=1)  # [anchor, positive x negative]
    negative = ops.tile(distances, (1, batch))
    valid = positives[:, :, None] & negatives[:, None, :]
    return Triplets(positive, negative, ops.reshape(valid, (batch, -1)))


def semi_hard(distances: Any, positives: Any, negatives: Any, margin: float | None) -> Triplets:
    """Triplets whose negative is farther than the positive, but not by the margin.

    Args:
        distances: float [batch, batch].
        positives: bool [batch, batch].
        negatives: bool [batch, batch].
        margin: float, or None for a soft margin, where every farther negative counts.

    Returns:
        `Triplets` [batch, batch * batch].

    References:
        Schroff, Kalenichenko and Philbin, FaceNet: A Unified Embedding for Face
        Recognition and Clustering, section 3.2.
    """
    positive, negative, valid = all_triplets(distances, positives, negatives)
    valid = valid & (positive < negative)
    return Triplets(positive, negative, valid if margin is None else valid & (negative < positive + margin))


def hardest_negatives(distances: Any, positives: Any, negatives: Any, count: int) -> Triplets:
    """Every positive of an anchor with the anchor's nearest negatives: those with the largest loss.

    Args:
        distances: float [batch, batch].
        positives: bool [batch, batch].
        negatives: bool [batch, batch].
        count: int. Negatives for each positive pair; all of them where the batch has
            fewer.

    Returns:
        `Triplets` [batch, batch * batch].

    References:
        Wang and Gupta, Unsupervised Learning of Visual Representations using Videos,
        section 4.2: the four negatives with the largest loss.
    """
    farther_than_all = 1.0 + ops.max(distances, axis=1, keepdims=True)
    order = ops.argsort(ops.where(negatives, distances, farther_than_all), axis=1)
    rank = ops.argsort(order, axis=1)
    return all_triplets(distances, positives, negatives & (rank < count))


def mine(
    name: MiningName, distances: Any, positives: Any, negatives: Any, margin: float | None, count: int
) -> Triplets:
    """Mines by name.

    Args:
        name: "batch_hard", "all", "semi_hard" or "hardest_negatives".
        distances: float [batch, batch].
        positives: bool [batch, batch].
        negatives: bool [batch, batch].
        margin: float or None. For "semi_hard".
        count: int. For "hardest_negatives".

    Returns:
        `Triplets`.
    """
    functions: dict[str, Callable[[], Triplets]] = {
        "batch_hard": lambda: batch_hard(distances, positives, negatives),
        "all": lambda: all_triplets(distances, positives, negatives),
        "semi_hard": lambda: semi_hard(distances, positives, negatives, margin),
        "hardest_negatives": lambda: hardest_negatives(distances, positives, negatives, count),
    }
    return functions[name]()
