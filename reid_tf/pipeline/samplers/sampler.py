"""What a sampler is: which images make up each batch of an epoch."""

import abc
from collections.abc import Iterator
from typing import Literal

import numpy as np

from reid_tf.errors import InputError


class Sampler(abc.ABC):
    """Chooses the images of each batch by their index among the training records.

    An epoch depends on the seed and its own number alone, so that a resumed training
    sees the order it would have seen. `kind` is "images" for batches [batch], "pairs"
    for batches [batch, 2].
    """

    kind: Literal["images", "pairs"]

    @abc.abstractmethod
    def __len__(self) -> int:
        """Batches per epoch."""

    @abc.abstractmethod
    def epoch(self, number: int) -> Iterator[np.ndarray]:
        """Yields the batches of one epoch.

        Args:
            number: int >= 0.

        Yields:
            int64 [batch] or [batch, 2].
        """


def generator(seed: int, epoch: int) -> np.random.Generator:
    """Returns the random generator of one epoch."""
    return np.random.default_rng((seed, epoch))


def check_seed(seed: int) -> None:
    """Raises an `InputError` for a seed that NumPy does not take."""
    if seed < 0:
        raise InputError(f"The seed must not be negative. Received: {seed}.")


class ShuffledBatches:
    """Every image once per epoch, in a new order.

    All batches are full but the last two: a rest that fills less than half a batch gets
    half of the full batch before it, because batch normalization does badly on a few
    images.

    Args:
        num_images: int.
        batch_size: int. A multiple of `replicas`.
        replicas: int. Devices that share a batch.

    Raises:
        InputError: the batch size is below 1, above the number of images or not a
            multiple of the replicas.
    """

    def __init__(self, num_images: int, batch_size: int, replicas: int) -> None:
        if not 1 <= batch_size <= num_images:
            raise InputError(
                f"batch_size must lie between 1 and the {num_images} training images. Received: {batch_size}."
            )
        if batch_size % replicas:
            raise InputError(f"batch_size must be a multiple of the {replicas} replicas. Received: {batch_size}.")
        full, rest = divmod(num_images, batch_size)
        self._sizes = [batch_size] * full
        if 0 < rest < batch_size / 2:
            self._sizes[-1] -= batch_size // 2
            rest += batch_size // 2
        if rest:
            self._sizes.append(rest)

    def __len__(self) -> int:
        return len(self._sizes)

    def epoch(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Returns the batches of an epoch, int64 [batch] each."""
        return np.split(rng.permutation(sum(self._sizes)), np.cumsum(self._sizes)[:-1])
