"""Single images in random order."""

from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.options import Count
from reid_tf.pipeline.samplers.sampler import Sampler, ShuffledBatches, check_seed, generator
from reid_tf.registry import SAMPLERS


class ImageSampler(Sampler):
    """Every image once per epoch; see `images`."""

    kind = "images"

    def __init__(self, batches: ShuffledBatches, seed: int) -> None:
        check_seed(seed)
        self._batches, self._seed = batches, seed

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[np.ndarray]:
        yield from self._batches.epoch(generator(self._seed, number))


@SAMPLERS.register("images")
def images(identities: Sequence[int] | np.ndarray, seed: int, replicas: int = 1, *, batch_size: Count) -> Sampler:
    """Batches of single images, every image once per epoch.

    Args:
        identities: ints [N]. Identity of each training image.
        seed: int >= 0. Of the order.
        replicas: int. Devices that share a batch.
        batch_size: int, 1..N, a multiple of the replicas. The last two batches may be
            smaller, not below half.

    Returns:
        `Sampler` of kind "images".

    Raises:
        InputError: the batch size is not possible, or the seed is negative.
    """
    return ImageSampler(ShuffledBatches(len(identities), batch_size, replicas), seed)
