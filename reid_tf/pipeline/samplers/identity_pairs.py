"""P identities with K images each, paired inside the batch."""

from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import Count
from reid_tf.pipeline.samplers.identity_draws import IdentityDraws
from reid_tf.pipeline.samplers.sampler import Sampler, check_seed, generator
from reid_tf.pipeline.samplers.share import PositiveShare, check_partners
from reid_tf.pipeline.samplers.source_draws import make_draws
from reid_tf.registry import SAMPLERS


class IdentityPairSampler(Sampler):
    """Batches of whole identities as pairs; see `identity_pairs`."""

    kind = "pairs"

    def __init__(self, draws: IdentityDraws, replicas: int, share: PositiveShare, seed: int) -> None:
        check_seed(seed)
        check_partners(draws.groups, share)
        block = draws.identities // replicas
        if block < 2 or block * draws.images % 2 or (draws.images < 2 and share.largest > 0.0):
            raise InputError(
                "identity_pairs needs at least two identities and an even number of images per replica, and at least "
                f"two images per identity for positive pairs. Received: identities_per_batch={draws.identities} for "
                f"{replicas} replicas, images_per_identity={draws.images}."
            )
        draws.groups.report_single_images()
        self._draws, self._replicas, self._share, self._seed = draws, replicas, share, seed

    def __len__(self) -> int:
        return len(self._draws)

    def epoch(self, number: int) -> Iterator[np.ndarray]:
        rng, share = generator(self._seed, number), self._share.at(number)
        missing = 0.0  # positive pairs that rounding has left out so far
        for draw in self._draws.epoch(rng):
            blocks = []
            for block in np.split(draw, self._replicas):  # [identities of a replica, K]
                wanted = share * block.size / 2 + missing
                several = self._draws.groups.count[self._draws.groups.group[block[:, 0]]] > 1
                positives = spread_positives(several, block.shape[1], wanted)
                missing = float(np.clip(wanted - positives.sum(), -1.0, 1.0))
                blocks.append(rng.permutation(pair_block(block, positives)))
            yield np.concatenate(blocks)


def spread_positives(several: np.ndarray, images: int, wanted: float) -> np.ndarray:
    """Spreads positive pairs over identities so that all images left can be paired between identities.

    Args:
        several: bool [P]. Whether an identity has at least two different images, P >=
            2.
        images: int. K, of each identity; P * K is even.
        wanted: float. Positive pairs wanted; the nearest possible number is taken.

    Returns:
        int64 [P]. Positive pairs of each identity.
    """
    pairs = np.zeros(len(several), np.int64)
    best = pairs.copy()
    while True:
        free = np.flatnonzero(several & (pairs < images // 2))
        if len(free) == 0:
            return best
        pairs[free[np.argmin(pairs[free])]] += 1
        left = images - 2 * pairs
        # No identity may have more images left than all others together.
        if 2 * left.max() <= left.sum() and abs(pairs.sum() - wanted) < abs(best.sum() - wanted):
            best = pairs.copy()


def pair_block(block: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Pairs the images of some identities, each image once.

    Args:
        block: int64 [P, K]. Images, one identity per row; neighbours in a row that is
            used for positives differ.
        positives: int64 [P]. Positive pairs of each identity, as `spread_positives`
            gives them.

    Returns:
        int64 [P * K / 2, 2]. Positive pairs first.
    """
    same = [row[: 2 * count] for row, count in zip(block, positives, strict=True)]
    left = np.concatenate([row[2 * count :] for row, count in zip(block, positives, strict=True)])
    # Half the length apart no two images share an identity, because none has more than half of them.
    different = np.stack(np.split(left, 2), axis=1)
    return np.concatenate([np.concatenate(same).reshape(-1, 2), different])


@SAMPLERS.register("identity_pairs")
def identity_pairs(
    identities: Sequence[int] | np.ndarray,
    epochs: int,
    seed: int,
    replicas: int = 1,
    sources: Sequence[str] | None = None,
    *,
    identities_per_batch: Count = 16,
    images_per_identity: Count = 4,
    positive_share: float = 0.5,
    final_positive_share: float | None = None,
    balance_sources: bool = False,
) -> Sampler:
    """Batches of P identities with K images each, paired inside the batch, each image once.

    Feeds losses on pairs and losses that compare within the batch at the same time.
    Identities are drawn as by `identities`. A batch consists of one block for each
    replica, which is P / replicas identities by K images itself. An identity with one
    image, repeated K times, has negative pairs only, which the log counts.

    Args:
        identities: ints [N]. Identity of each training image.
        epochs: int. Length of the training, over which the share moves.
        seed: int >= 0. Of the draws.
        replicas: int. Devices that share a batch.
        sources: sequence of N str, or None. The data set each image comes from.
        identities_per_batch: int. P, a multiple of the replicas and at least two for
            each.
        images_per_identity: int. K; K * P / replicas is even.
        positive_share: float in [0, 1]. Of pairs that show one person; the nearest
            possible number in each block, what is missing made up for in the next.
        final_positive_share: float in (0, 1], or None. The share of the last epoch, as
            in `pairs`.
        balance_sources: bool. As of `identities`.

    Returns:
        `Sampler` of kind "pairs"; a batch has P * K / 2 pairs.

    Raises:
        InputError: P, K or a share is not possible with these images, or the seed is
            negative.
    """
    share = PositiveShare(positive_share, final_positive_share, epochs)
    draws = make_draws(identities, sources, balance_sources, identities_per_batch, images_per_identity, replicas)
    return IdentityPairSampler(draws, replicas, share, seed)
