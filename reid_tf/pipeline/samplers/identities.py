"""P identities with K images each."""

from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.options import Count
from reid_tf.pipeline.samplers.identity_draws import IdentityDraws
from reid_tf.pipeline.samplers.sampler import Sampler, check_seed, generator
from reid_tf.pipeline.samplers.source_draws import make_draws
from reid_tf.registry import SAMPLERS


class IdentitySampler(Sampler):
    """Batches of whole identities; see `identities`."""

    kind = "images"

    def __init__(self, draws: IdentityDraws, seed: int) -> None:
        check_seed(seed)
        self._draws, self._seed = draws, seed

    def __len__(self) -> int:
        return len(self._draws)

    def epoch(self, number: int) -> Iterator[np.ndarray]:
        for draw in self._draws.epoch(generator(self._seed, number)):
            yield draw.reshape(-1)


@SAMPLERS.register("identities")
def identities(
    identities: Sequence[int] | np.ndarray,
    seed: int,
    replicas: int = 1,
    sources: Sequence[str] | None = None,
    *,
    identities_per_batch: Count = 16,
    images_per_identity: Count = 4,
    balance_sources: bool = False,
) -> Sampler:
    """Batches of P identities with K images each, for losses that compare within the batch.

    Every identity comes at least once per epoch, all about equally often; an identity's
    images take turns, and where it has fewer than K they repeat. The K images of an
    identity are together, so that each replica's share of the batch is made of whole
    identities too.

    Args:
        identities: ints [N]. Identity of each training image.
        seed: int >= 0. Of the draws.
        replicas: int. Devices that share a batch.
        sources: sequence of N str, or None. The data set each image comes from.
        identities_per_batch: int. P, a multiple of the replicas.
        images_per_identity: int. K.
        balance_sources: bool. Whether each of several data sets gives as many
            identities to every batch, the smaller ones more often.

    Returns:
        `Sampler` of kind "images"; a batch has P * K images.

    Raises:
        InputError: P or K is not possible with these images, or the seed is negative.
    """
    draws = make_draws(identities, sources, balance_sources, identities_per_batch, images_per_identity, replicas)
    return IdentitySampler(draws, seed)
