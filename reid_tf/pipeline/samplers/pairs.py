"""Pairs of images, each image first of a pair once per epoch."""

from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.options import Count
from reid_tf.pipeline.samplers.identity_groups import IdentityGroups
from reid_tf.pipeline.samplers.sampler import Sampler, ShuffledBatches, check_seed, generator
from reid_tf.pipeline.samplers.share import PositiveShare, check_partners
from reid_tf.registry import SAMPLERS


class PairSampler(Sampler):
    """Every image with a partner of the same or of another identity; see `pairs`."""

    kind = "pairs"

    def __init__(
        self, groups: IdentityGroups, batches: ShuffledBatches, share: PositiveShare, other_camera: bool, seed: int
    ) -> None:
        check_seed(seed)
        check_partners(groups, share)
        groups.report_single_images()
        self._groups, self._batches, self._share = groups, batches, share
        self._other_camera, self._seed = other_camera, seed

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Iterator[np.ndarray]:
        rng, share = generator(self._seed, number), self._share.at(number)
        batches = self._batches.epoch(rng)
        for first, wanted in zip(batches, _positives_of_batches(batches, share), strict=True):
            # Those that can be positive come to the front, in random order as before.
            single = self._groups.count[self._groups.group[first]] == 1
            by_partner = first[np.argsort(single, kind="stable")]
            positive, negative = np.split(by_partner, [min(wanted, np.sum(~single))])
            partners = [
                self._groups.same(positive, rng, self._other_camera),
                self._groups.other(negative, rng, self._other_camera),
            ]
            yield rng.permutation(np.stack([by_partner, np.concatenate(partners)], axis=1))


def _positives_of_batches(batches: Sequence[np.ndarray], share: float) -> np.ndarray:
    """Rounds the running number of positives, so that neither a batch nor the epoch is off by more than one."""
    ends = np.cumsum([len(batch) for batch in batches])
    # A billionth keeps a product that should end in .5 from falling below it by its last bits.
    return np.diff(np.floor(share * ends + 0.5 + 1e-9).astype(np.int64), prepend=0)


@SAMPLERS.register("pairs")
def pairs(
    identities: Sequence[int] | np.ndarray,
    cameras: Sequence[int] | np.ndarray,
    epochs: int,
    seed: int,
    replicas: int = 1,
    *,
    batch_size: Count,
    positive_share: float = 0.5,
    final_positive_share: float | None = None,
    cross_camera: bool = False,
) -> Sampler:
    """Batches of pairs; every image is the first of a pair once per epoch.

    Its partner is another image of the same person, or an image of another person. An
    identity with one image has no positive partner: its image serves in negative pairs
    only, which the log counts, and a batch that lacks images with a partner holds fewer
    positive pairs.

    Args:
        identities: ints [N]. Identity of each training image.
        cameras: ints [N]. Camera of each training image.
        epochs: int. Length of the training, over which the share moves.
        seed: int >= 0. Of the order and the partners.
        replicas: int. Devices that share a batch.
        batch_size: int, 1..N, a multiple of the replicas. Pairs per batch; the last two
            may be smaller, not below half.
        positive_share: float in [0, 1]. Of pairs that show one person, rounded in each
            batch and exact over the epoch.
        final_positive_share: float in (0, 1], or None. The share of the last epoch; the
            negatives for each positive grow by equal steps. From 0.5 to 0.2 (1:1 to
            1:4) is a usual choice.
        cross_camera: bool. Whether a partner comes from another camera wherever there
            is one, as the matches of a retrieval do. It holds for negative partners
            too: otherwise one camera would mean two persons, and the network would
            learn to tell cameras apart.

    Returns:
        `Sampler` of kind "pairs".

    Raises:
        InputError: the batch size or a share is not possible with these images, or the
            seed is negative.
    """
    share = PositiveShare(positive_share, final_positive_share, epochs)
    batches = ShuffledBatches(len(identities), batch_size, replicas)
    return PairSampler(IdentityGroups(identities, cameras), batches, share, cross_camera, seed)
