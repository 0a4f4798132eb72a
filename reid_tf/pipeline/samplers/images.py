"""Single images in random order."""

from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.pipeline.samplers.sampler import Sampler, ShuffledBatches, check_seed, generator
from reid_tf.registry import SAMPLERS


class ImageSampler(Sampler):
    """Every image once an epoch; see `images`."""

    kind = "images"

    def __init__(self, num_images: int, batch_size: int, seed: int) -> None:
        check_seed(seed)
        self._batches, self._seed = ShuffledBatches(num_images, batch_size), seed

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[np.ndarray]:
        yield from self._batches.epoch(generator(self._seed, number))


@SAMPLERS.register("images")
def images(identities: Sequence[int] | np.ndarray, seed: int, *, batch_size: int) -> Sampler:
    """Batches of single images, every image once an epoch.

    Args:
        identities: ints [N]. Identity of each training image.
        seed: int >= 0. Of the order.
        batch_size: int, 1..N. Batches are this large, or one image smaller where N does not divide.

    Returns:
        `Sampler` of kind "images".

    Raises:
        InputError: the batch size is not possible, or the seed is negative.
    """
    return ImageSampler(len(identities), batch_size, seed)
