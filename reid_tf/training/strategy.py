"""Where and in which precision a model trains."""

import contextlib
import logging
from collections.abc import Iterator

import keras
import tensorflow as tf

from reid_tf.training.workers import Workers, join

logger = logging.getLogger(__name__)


def make_strategy(workers: Workers | None = None) -> tf.distribute.Strategy:
    """Mirrors the model over the visible GPUs; over the logical CPUs where there is no GPU.

    One CPU, the usual case without a GPU, needs no mirroring and gets TensorFlow's
    default strategy. A batch is always the global one: each of n replicas computes a
    share of 1/n, and the gradients are summed, so that losses and updates equal those
    of one replica. The exceptions are batch normalisation, where each replica
    normalises by its own share, and triplets, which each replica forms within its
    share; a configuration's `sync_batch_norm` and `global_triplets` end these.

    Args:
        workers: `Workers` that train together, or None.

    Returns:
        tf.distribute.Strategy.

    Raises:
        InputError: the other workers do not come, or this one's port is in use.
    """
    if workers:
        return join(workers)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in devices]
    if len(names) == 1 and "CPU" in names[0]:
        return tf.distribute.get_strategy()
    logger.info("Training on %s: batch sizes are global, each replica takes 1/%d of a batch.", names, len(names))
    return tf.distribute.MirroredStrategy(names)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Builds and trains models under a dtype policy, and puts the old one back.

    Args:
        policy: str. "float32", "mixed_float16" or "mixed_bfloat16".
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
