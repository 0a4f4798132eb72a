"""Drawing some identities and some images of each, over and over."""

from collections.abc import Iterator

import numpy as np

from reid_tf.errors import InputError
from reid_tf.pipeline.samplers.identity_groups import IdentityGroups


class IdentityDraws:
    """Draws P identities and K images of each, over and over.

    Args:
        groups: `IdentityGroups`.
        identities_per_batch: int. P, at most the number of identities and a multiple of
            `replicas`.
        images_per_identity: int. K.
        replicas: int. Devices that share a batch.

    Raises:
        InputError: P or K is not possible with these images.
    """

    def __init__(
        self, groups: IdentityGroups, identities_per_batch: int, images_per_identity: int, replicas: int
    ) -> None:
        if not 1 <= identities_per_batch <= len(groups):
            raise InputError(
                f"identities_per_batch must lie between 1 and the number of training identities, {len(groups)}. "
                f"Received: {identities_per_batch}."
            )
        if images_per_identity < 1:
            raise InputError(f"images_per_identity must be at least 1. Received: {images_per_identity}.")
        if identities_per_batch % replicas:
            raise InputError(
                f"identities_per_batch must be a multiple of the {replicas} replicas, so that each gets whole "
                f"identities. Received: {identities_per_batch}."
            )
        self.groups, self.identities, self.images = groups, identities_per_batch, images_per_identity

    def __len__(self) -> int:
        """Draws that hold as many images as there are, or as it takes to draw every identity."""
        by_images = -(-len(self.groups.order) // (self.identities * self.images))
        return max(by_images, -(-len(self.groups) // self.identities))

    def epoch(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yields int64 [P, K] image indices, one identity per row, no identity twice in a draw."""
        groups = self.groups
        shuffled = rng.permutation(len(groups.order))
        shuffled = shuffled[np.argsort(groups.group[shuffled], kind="stable")]  # by identity, in random order within
        used = np.zeros(len(groups), np.int64)
        waiting = np.empty(0, np.int64)
        for _ in range(len(self)):
            if len(waiting) < self.identities:
                fresh = rng.permutation(len(groups))
                # Those that still wait for this draw go to the end, so that none is in it twice.
                again = np.isin(fresh, waiting)
                waiting = np.concatenate([waiting, fresh[~again], fresh[again]])
            drawn, waiting = np.split(waiting, [self.identities])
            places = (used[drawn, np.newaxis] + np.arange(self.images)) % groups.count[drawn, np.newaxis]
            used[drawn] += self.images
            yield shuffled[groups.start[drawn, np.newaxis] + places]
