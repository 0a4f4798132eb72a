"""Distances between all embeddings of a batch, with gradients that stay finite where two of them coincide."""

from collections.abc import Callable
from typing import Any, Literal

from keras import ops

DistanceName = Literal["euclidean", "squared_euclidean", "cosine"]

# Squared lengths below this count as this much: the gradient of a root at zero, as on the diagonal, is not finite.
SMALLEST_SQUARE = 1e-12
NOT_ITSELF = -1e9  # instead of the similarity of an image to itself


def as_images(embeddings: Any) -> Any:
    """Returns embeddings [batch, dim], or [batch, 2, dim] of pairs, as float32 [images, dim]."""
    return ops.cast(ops.reshape(embeddings, (-1, embeddings.shape[-1])), "float32")


def normalized(embeddings: Any) -> Any:
    """Scales embeddings to unit length; a zero vector stays zero.

    Args:
        embeddings: float [batch, dim].

    Returns:
        float [batch, dim].
    """
    squares = ops.sum(ops.square(embeddings), axis=-1, keepdims=True)
    return embeddings * ops.rsqrt(ops.maximum(squares, SMALLEST_SQUARE))


def log_probabilities_of_others(embeddings: Any, temperature: float) -> Any:
    """For each image, the log softmax of its cosines to all other images of the batch.

    Args:
        embeddings: float [images, dim], of unit length.
        temperature: float above 0. Divides the cosines.

    Returns:
        float [images, images]; a large negative number, but finite, on the diagonal: an
        image without others would have no logarithm.
    """
    itself = ops.eye(ops.shape(embeddings)[0], dtype="bool")
    logits = ops.matmul(embeddings, ops.transpose(embeddings)) / temperature
    return ops.log_softmax(ops.where(itself, NOT_ITSELF, logits), axis=1)


def squared_euclidean(embeddings: Any) -> Any:
    """Squared Euclidean distances.

    Args:
        embeddings: float32 [batch, dim].

    Returns:
        float32 [batch, batch], never negative.
    """
    squares = ops.sum(ops.square(embeddings), axis=-1)
    products = ops.matmul(embeddings, ops.transpose(embeddings))
    return ops.maximum(squares[:, None] + squares[None, :] - 2.0 * products, 0.0)


def euclidean(embeddings: Any) -> Any:
    """Euclidean distances; the gradient between two equal embeddings is zero.

    Args:
        embeddings: float32 [batch, dim].

    Returns:
        float32 [batch, batch], at least 1e-6.
    """
    return ops.sqrt(ops.maximum(squared_euclidean(embeddings), SMALLEST_SQUARE))


def cosine(embeddings: Any) -> Any:
    """Cosine distances: one minus the cosine of the angle.

    Args:
        embeddings: float32 [batch, dim].

    Returns:
        float32 [batch, batch], in [0, 2].
    """
    unit = normalized(embeddings)
    return ops.clip(1.0 - ops.matmul(unit, ops.transpose(unit)), 0.0, 2.0)


DISTANCES: dict[str, Callable[[Any], Any]] = {
    "euclidean": euclidean,
    "squared_euclidean": squared_euclidean,
    "cosine": cosine,
}
