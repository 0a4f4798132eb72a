"""Several processes, on one machine or on many, that train one model together.

They find each other as TensorFlow's own programs do, through `TF_CONFIG`. All do the
same work, each with its share of every batch; the first of them, the chief, keeps the
run directory, and the others write into folders that are removed.
"""

import contextlib
import dataclasses
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reid_tf.errors import InputError, one_line
from reid_tf.options import host_and_port

logger = logging.getLogger(__name__)

VARIABLE = "TF_CONFIG"
PATIENCE = 600.0
_PIECE = 4 * 2**20  # words of a message that are sent at once
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


class WorkerLostError(InputError):
    """A step that all workers take failed, most likely as one went away; the run can go on from its last checkpoint."""


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who trains together.

    Args:
        addresses: "host:port" of each, the chief first. The same on all.
        index: int. Which of them this process is.
        patience: float. Seconds that it waits for the others.

    Raises:
        InputError: an address is not host:port or stands twice, there is one alone, or
            the index is none of theirs.
    """

    addresses: tuple[str, ...]
    index: int
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        for address in self.addresses:
            host_and_port(address)
        if len(set(self.addresses)) < len(self.addresses) or len(self.addresses) < 2:
            raise InputError(
                f"Workers must be at least two, each at an address of its own. Received: {', '.join(self.addresses)}."
            )
        if not 0 <= self.index < len(self.addresses):
            raise InputError(
                f"The index of a worker must be 0 to {len(self.addresses) - 1}, for {len(self.addresses)} addresses. "
                f"Received: {self.index}."
            )

    @property
    def is_chief(self) -> bool:
        """Whether this process keeps the run directory."""
        return self.index == 0

    def named(self, index: int) -> str:
        """Returns how messages call one of them."""
        return f"{'the chief' if index == 0 else f'worker {index}'} ({self.addresses[index]})"


def workers_of_environment() -> Workers | None:
    """Reads `TF_CONFIG`.

    Returns:
        `Workers`, or None where the variable is not set or names one process alone.

    Raises:
        InputError: it cannot be read, has other tasks than a chief and workers, or as
            `Workers`.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        given = json.loads(text)
        if given == {}:  # as TensorFlow reads it
            return None
        cluster, kind, index = given["cluster"], given["task"]["type"], int(given["task"]["index"])
        chief, others = (list(map(str, cluster.get(name, ()))) for name in ("chief", "worker"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{VARIABLE} must be JSON with a cluster and a task. Received: {text!r}.") from error
    if set(cluster) - {"chief", "worker"} or kind not in cluster or not 0 <= index < len(cluster[kind]):
        raise InputError(f"{VARIABLE} may name a chief and workers, and a task among them. Received: {text!r}.")
    addresses = (*chief, *others)
    return Workers(addresses, index + (len(chief) if kind == "worker" else 0)) if len(addresses) > 1 else None


def join(workers: Workers) -> tf.distribute.Strategy:
    """Waits for the other workers and returns the strategy that all of them share.

    Args:
        workers: `Workers`.

    Returns:
        tf.distribute.MultiWorkerMirroredStrategy.

    Raises:
        InputError: the port of this worker is in use, or another one has not come in
            time.
    """
    _meet(workers)
    tf.get_logger().setLevel(logging.WARNING)  # it tells every device and every collective
    cluster = tf.train.ClusterSpec({"worker": list(workers.addresses)})
    place = tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster, task_type="worker", task_id=workers.index, rpc_layer="grpc"
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=place)
    except (RuntimeError, *_LOST) as error:
        raise WorkerLostError(f"The workers could not be joined: {one_line(error)}.") from error


def _meet(workers: Workers) -> None:
    """Returns as soon as something answers at every address."""
    patience, said = workers.patience, False
    deadline = time.monotonic() + patience
    with _listening(workers):
        missing = [index for index in range(len(workers.addresses)) if index != workers.index]
        while missing:
            missing = [index for index in missing if not _answers(workers.addresses[index])]
            absent = " and ".join(map(workers.named, missing))
            if missing and time.monotonic() > deadline:
                raise InputError(
                    f"{absent[0].upper()}{absent[1:]} did not come within {patience:g} seconds: start every worker "
                    f"with the same addresses. Received: {', '.join(workers.addresses)}."
                )
            if missing and not said:
                logger.info("waiting up to %g seconds for %s", patience, absent)
                said = True
            time.sleep(0.2 if missing else 0.5)  # long enough for those who have not seen this one yet


@contextlib.contextmanager
def _listening(workers: Workers) -> Iterator[None]:
    """Answers at this worker's address until TensorFlow does."""
    _, port = host_and_port(workers.addresses[workers.index])
    try:
        server = socket.create_server(("", port), backlog=len(workers.addresses))
    except OSError as error:
        raise InputError(
            f"The port of {workers.named(workers.index)} cannot be opened here ({error.strerror}); choose another one. "
            f"Received: {port}."
        ) from error
    with server:
        yield


def _answers(address: str) -> bool:
    try:
        with socket.create_connection(host_and_port(address), timeout=1):
            return True
    except OSError:
        return False


def exchange(workers: Workers, strategy: tf.distribute.Strategy, message: bytes) -> list[bytes]:
    """Sends a message of each worker to all of them.

    Args:
        workers: `Workers`.
        strategy: tf.distribute.Strategy of `join`.
        message: bytes. This worker's.

    Returns:
        list of bytes, that of each worker in their order.
    """
    each = strategy.num_replicas_in_sync // len(workers.addresses)
    words = np.frombuffer(message + bytes(-len(message) % 4), np.int32)

    def gathered(values: np.ndarray) -> np.ndarray:
        def of_replica(context: Any) -> tf.Tensor:  # the first replica of a worker speaks for it
            speaks = context.replica_id_in_sync_group % each == 0
            return tf.constant(values if speaks else values[:0])

        sent = strategy.experimental_distribute_values_from_function(of_replica)
        return np.asarray(strategy.gather(sent, axis=0))

    lengths = gathered(np.array([len(message)], np.int32))
    received = [bytearray() for _ in lengths]
    wanted = [-(-int(length) // 4) for length in lengths]  # in words
    for start in range(0, max(wanted), _PIECE):
        counts = [min(max(count - start, 0), _PIECE) for count in wanted]
        pieces = np.split(gathered(words[start : start + _PIECE]), np.cumsum(counts)[:-1])
        for whole, piece in zip(received, pieces, strict=True):
            whole += piece.tobytes()
    return [bytes(whole[:length]) for whole, length in zip(received, lengths, strict=True)]


def part(workers: Workers, strategy: tf.distribute.Strategy) -> None:
    """Waits at the end of the work until all are there: whoever left earlier would be missed by the others.

    Args:
        workers: `Workers`.
        strategy: tf.distribute.Strategy of `join`.
    """
    try:
        exchange(workers, strategy, b"")
    except _LOST:
        if not workers.is_chief:
            raise  # the chief may not have finished the run
        logger.warning("another worker went away at the end; the run is complete")


def agree(workers: Workers, strategy: tf.distribute.Strategy, facts: Mapping[str, Any]) -> None:
    """Makes sure, before the first step, that all workers do the same.

    Args:
        workers: `Workers`.
        strategy: tf.distribute.Strategy of `join`.
        facts: mapping to JSON values. What must be equal, by the name that a message
            gives it.

    Raises:
        InputError: a worker has another value than the chief; all workers say so.
    """
    chief, *others = [json.loads(message) for message in exchange(workers, strategy, json.dumps(dict(facts)).encode())]
    for index, other in enumerate(others, start=1):
        for key in chief:
            if other.get(key) != chief[key]:
                raise InputError(
                    f"{workers.named(index).capitalize()} differs from {workers.named(0)} in {key}: "
                    f"{other.get(key)!r} instead of {chief[key]!r}. All workers must be started alike."
                )


def each_its_share(
    workers: Workers, strategy: tf.distribute.Strategy, batches: Callable[[], tf.data.Dataset]
) -> tf.distribute.DistributedDataset:
    """Divides batches over the replicas of all workers.

    Every worker prepares the whole batch and takes its share of it, so that pixels do
    not depend on the number of workers.

    Args:
        workers: `Workers`.
        strategy: tf.distribute.Strategy of `join`.
        batches: function that returns the endless stream of global batches, tensors
            [batch, ...] of any structure.

    Returns:
        tf.distribute.DistributedDataset, which `fit` takes.
    """
    replicas = strategy.num_replicas_in_sync
    here = replicas // len(workers.addresses)

    def shares(context: tf.distribute.InputContext) -> tf.data.Dataset:
        first = context.input_pipeline_id * here

        def of_replica(number: tf.Tensor, batch: Any) -> Any:
            def share(values: tf.Tensor) -> tf.Tensor:
                rows = tf.shape(values, tf.int64)[0]
                return values[rows * number // replicas : rows * (number + 1) // replicas]

            return tf.nest.map_structure(share, batch)

        def of_worker(*batch: Any) -> tf.data.Dataset:
            return tf.data.Dataset.range(first, first + here).map(lambda number: of_replica(number, batch))

        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return batches().flat_map(of_worker).apply(endless).prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(shares)


@contextlib.contextmanager
def naming_lost_workers(workers: Workers) -> Iterator[None]:
    """Turns TensorFlow's errors of a worker that went away into one sentence; the log has the error itself.

    Args:
        workers: `Workers`.

    Raises:
        WorkerLostError: another worker went away, or a step failed for a reason of its
            own, which TensorFlow reports in the same way.
    """
    try:
        yield
    except _LOST as error:
        others = [index for index in range(len(workers.addresses)) if index != workers.index]
        silent = [index for index in others if not _answers(workers.addresses[index])]
        gone = " and ".join(map(workers.named, silent))
        logger.warning("a step failed: %s", one_line(error, 400))
        what = f"{gone} went away" if silent else "a step failed here or on another worker"
        raise WorkerLostError(f"The training stopped because {what}.") from error


@keras.saving.register_keras_serializable(package="reid_tf")
class WorkersModel(keras.Model):
    """A functional model that `fit` trains on several workers, which Keras' own does not do.

    The values that a step logs are means over all replicas, so that every worker sees
    the same ones.
    """

    train_function: Any

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function of one training step.

        Args:
            force: bool. Whether to make it anew, for example after layers were frozen.
        """
        if self.train_function is not None and not force:
            return
        strategy = self.distribute_strategy

        def of_replica(batch: Any) -> Any:
            logs = self.train_step(batch)
            stacked = tf.stack([tf.cast(value, tf.float32) for value in logs.values()])
            means = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, stacked)
            return dict(zip(logs, tf.unstack(means, num=len(logs)), strict=True))

        @tf.function(reduce_retracing=True)
        def of_batch(batch: Any) -> Any:
            logs = strategy.run(of_replica, args=(batch,))
            return {name: strategy.experimental_local_results(value)[0] for name, value in logs.items()}

        self.train_function = lambda iterator: of_batch(next(iterator))

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds what a first batch tells; Keras averages the batch over the replicas for it, which it cannot here."""
        if iterator is not None:
            own = self.distribute_strategy.experimental_local_results
            data_batch = tf.nest.map_structure(lambda value: own(value)[0], next(next(iter(iterator))[2]))
        super()._maybe_symbolic_build(data_batch=data_batch)
