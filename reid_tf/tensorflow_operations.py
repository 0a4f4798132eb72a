"""What Keras composes, or leaves to a slow gradient, in the operations of TensorFlow that processors are fast at.

The layers import this file where Keras runs on TensorFlow, and calculate the same
without it elsewhere.
"""

from typing import Any

import tensorflow as tf

FAST_COLUMNS = 3  # width of the depthwise kernels whose filter gradient oneDNN has compiled code for


def has_gpu() -> bool:
    """Says whether TensorFlow sees a GPU, which has other fast operations."""
    return bool(tf.config.list_logical_devices("GPU"))


def number_of_replicas() -> int:
    """Says how many replicas calculate a batch together, where this is one of them; otherwise 1."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def gathered_from_replicas(values: Any) -> tuple[Any, Any]:
    """Puts the values of all replicas together, in their order; gradients go back to where values came from.

    Args:
        values: [batch, ...]. This replica's; equally many on all.

    Returns:
        ([replicas * batch, ...], int32): all values, and the first row of this
        replica's.
    """
    context = tf.distribute.get_replica_context()
    begin = tf.shape(values)[0] * context.replica_id_in_sync_group
    gathered = context.all_gather(values, axis=0)
    return tf.ensure_shape(gathered, [None, *values.shape[1:]]), begin


def batch_normalization(features: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Normalises with a batch's own statistics, in one pass forwards and one backwards.

    Calculated in float32 whatever the precision of the features.

    Args:
        features: float [batch, height, width, channels].
        gamma: float32 [channels]. Scale.
        beta: float32 [channels]. Shift.
        epsilon: float above 0. Added to the variance.

    Returns:
        (normalised, mean, variance): float [batch, height, width, channels] in the
        dtype of `features`, and float32 [channels] twice, without gradients; the
        variance is the one that the features were divided by, of n values, not n - 1.
    """
    normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=features, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.reduce_prod(tf.shape(features)[:3]), tf.float32)
    return normalised, tf.stop_gradient(mean), tf.stop_gradient(variance) * ((count - 1) / count)


def depthwise_convolution(features: Any, kernel: Any, stride: int, padding: str) -> Any:
    """TensorFlow's depthwise convolution, with gradients in forms that have fast code on processors.

    The filter gradient of a kernel wider than three columns is put together from those
    of three columns each, and the input gradient of a strided one is calculated in
    float32. In bfloat16 TensorFlow's own take tens of times as long.

    Args:
        features: float [batch, height, width, channels], height and width known.
        kernel: float [rows, columns, channels, multiplier], of the same dtype.
        stride: int.
        padding: "SAME" or "VALID", TensorFlow's.

    Returns:
        float [batch, h, w, channels * multiplier].
    """

    @tf.custom_gradient
    def convolved(features: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return (
                _input_gradient(features, kernel, upstream, stride, padding),
                _filter_gradient(features, kernel.shape, upstream, stride, padding),
            )

        return tf.nn.depthwise_conv2d(features, kernel, _strides(stride), padding), gradients

    return convolved(features, tf.convert_to_tensor(kernel))  # custom gradients take no variables


def _strides(stride: int) -> list[int]:
    return [1, stride, stride, 1]


def _input_gradient(features: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, stride: int, padding: str) -> Any:
    kind = tf.float32 if stride > 1 else features.dtype
    gradient = tf.nn.depthwise_conv2d_backprop_input(
        tf.shape(features), tf.cast(kernel, kind), tf.cast(upstream, kind), _strides(stride), padding
    )
    return tf.cast(gradient, features.dtype)


def _filter_gradient(features: tf.Tensor, shape: tf.TensorShape, upstream: tf.Tensor, stride: int, padding: str) -> Any:
    strides = _strides(stride)
    rows, columns, *channels = shape.as_list()
    if columns <= FAST_COLUMNS:
        return tf.nn.depthwise_conv2d_backprop_filter(features, shape, upstream, strides, padding)
    reach = [(size - 1) * stride for size in upstream.shape[1:3]]  # from the first place of the kernel to its last
    if padding == "SAME":
        missing = [max(r + k - n, 0) for r, k, n in zip(reach, (rows, columns), features.shape[1:3], strict=True)]
        around = [(count // 2, count - count // 2) for count in missing]
        features = tf.pad(features, [(0, 0), *around, (0, 0)])
    seen, pieces = 0, []
    for start in (*range(0, columns - FAST_COLUMNS, FAST_COLUMNS), columns - FAST_COLUMNS):
        window = features[:, : reach[0] + rows, start : start + reach[1] + FAST_COLUMNS]
        piece = tf.nn.depthwise_conv2d_backprop_filter(
            window, (rows, FAST_COLUMNS, *channels), upstream, strides, "VALID"
        )
        pieces.append(piece[:, seen - start :])
        seen = start + FAST_COLUMNS
    return tf.concat(pieces, axis=1)
