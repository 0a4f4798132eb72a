"""The distance of each pair of embeddings, in a served graph; `retrieval/distances.py` says what each kind is."""

import tensorflow as tf

# Squares of shorter vectors leave the range of float32: they count as zero vectors.
_LEAST_SQUARE = 1e-36


def unit_length(vectors: tf.Tensor) -> tf.Tensor:
    """Scales vectors to length 1; a zero vector stays one.

    Args:
        vectors: float32 [batch, dim].

    Returns:
        float32 [batch, dim].
    """
    return tf.math.l2_normalize(vectors, axis=-1, epsilon=_LEAST_SQUARE)


def pair_distance(kind: str, vectors_a: tf.Tensor, vectors_b: tf.Tensor) -> tf.Tensor:
    """Distances of pairs, as retrieval measures them between queries and gallery.

    Args:
        kind: "cosine", "euclidean" or "mean_squared".
        vectors_a: float32 [batch, dim]. The first of each pair.
        vectors_b: float32 [batch, dim]. The second of each pair.

    Returns:
        float32 [batch].
    """
    if kind == "cosine":
        products = tf.reduce_sum(unit_length(vectors_a) * unit_length(vectors_b), axis=-1)
        return tf.maximum(1.0 - products, 0.0)
    squares = tf.math.squared_difference(vectors_a, vectors_b)
    if kind == "mean_squared":
        return tf.reduce_mean(squares, axis=-1)
    return tf.sqrt(tf.reduce_sum(squares, axis=-1))
