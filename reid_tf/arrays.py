"""The array functions that NumPy and TensorFlow name differently, for code that serves both."""

import functools
import types
from typing import Any

import numpy as np


def functions_of(array: Any) -> Any:
    """Returns the functions for an array under NumPy's names; only a tensor needs TensorFlow.

    Args:
        array: NumPy array, or tf.Tensor.

    Returns:
        `numpy`, or a namespace with `any`, `clip`, `concatenate`, `float32`, `max`,
        `maximum`, `mean`, `min`, `sqrt`, `stack`, `sum`, `take` and `where` for
        tensors.
    """
    return np if isinstance(array, np.ndarray) else _functions_of_tensors()


@functools.cache
def _functions_of_tensors() -> types.SimpleNamespace:
    import tensorflow as tf

    return types.SimpleNamespace(
        any=tf.reduce_any,
        clip=tf.clip_by_value,
        concatenate=tf.concat,
        float32=lambda values: tf.cast(values, tf.float32),
        max=tf.reduce_max,
        maximum=tf.maximum,
        mean=tf.reduce_mean,
        min=tf.reduce_min,
        sqrt=tf.sqrt,
        stack=tf.stack,
        sum=tf.reduce_sum,
        take=lambda values, indices, axis: tf.gather(values, indices, axis=axis),
        where=tf.where,
    )
