"""The training images sorted by identity, for drawing within or outside of one."""

import functools
import logging
from collections.abc import Sequence

import numpy as np

logger = logging.getLogger(__name__)

# Draws that miss the wanted camera are repeated this often; with nine of ten images under one camera, 99.9 % succeed.
_REDRAWS = 64


class IdentityGroups:
    """Images in an order in which those of an identity, and within it those of a camera, are together.

    Args:
        identities: ints [N]. Identity of each image.
        cameras: ints [N], or None. Camera of each image.

    Attributes:
        order: int64 [N]. Image indices, sorted.
        position: int64 [N]. Place of each image in `order`.
        group: int64 [N]. Which identity an image shows, numbered 0 .. identities - 1.
        start: int64 [identities]. Place of an identity's first image in `order`.
        count: int64 [identities]. Images of an identity.
    """

    def __init__(
        self, identities: Sequence[int] | np.ndarray, cameras: Sequence[int] | np.ndarray | None = None
    ) -> None:
        _, self.group, self.count = np.unique(np.asarray(identities), return_inverse=True, return_counts=True)
        self._cameras = np.zeros(len(self.group), np.int64) if cameras is None else np.asarray(cameras, np.int64)
        self.order = np.lexsort((self._cameras, self.group))
        self.position = np.empty_like(self.order)
        self.position[self.order] = np.arange(len(self.order))
        self.start = np.cumsum(self.count) - self.count

    def __len__(self) -> int:
        return len(self.count)

    def report_single_images(self) -> None:
        """Logs how many identities have one image only, if any."""
        singles = int(np.sum(self.count == 1))
        if singles:
            logger.info(
                "%d of %d identities have a single image: they serve in negative pairs only.", singles, len(self)
            )

    def same(self, images: np.ndarray, rng: np.random.Generator, other_camera: bool = False) -> np.ndarray:
        """Draws for each image another image of the same identity.

        Args:
            images: int64 [n]. Images whose identity has at least two.
            rng: `numpy.random.Generator`.
            other_camera: bool. Whether another camera is preferred, where the identity
                has one.

        Returns:
            int64 [n].
        """
        group = self.group[images]
        first, last = self.position[images], self.position[images] + 1  # the images not to draw: at least itself
        if other_camera:
            camera_first, camera_last = self._camera_blocks
            elsewhere = camera_last[images] - camera_first[images] < self.count[group]
            first = np.where(elsewhere, camera_first[images], first)
            last = np.where(elsewhere, camera_last[images], last)
        # The identity's images form a ring; the draw starts after the excluded run and ends before it.
        step = rng.integers(0, self.count[group] - (last - first))
        return self.order[self.start[group] + (last - self.start[group] + step) % self.count[group]]

    def other(self, images: np.ndarray, rng: np.random.Generator, other_camera: bool = False) -> np.ndarray:
        """Draws for each image an image of another identity, all of them equally likely.

        Args:
            images: int64 [n].
            rng: `numpy.random.Generator`.
            other_camera: bool. Whether another camera is preferred.

        Returns:
            int64 [n].
        """
        partners = self._outside(images, rng)
        for _ in range(_REDRAWS if other_camera and np.ptp(self._cameras) else 0):
            again = self._cameras[partners] == self._cameras[images]
            if not again.any():
                break
            partners[again] = self._outside(images[again], rng)
        return partners

    def _outside(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        group = self.group[images]
        step = rng.integers(0, len(self.order) - self.count[group])
        return self.order[(self.start[group] + self.count[group] + step) % len(self.order)]

    @functools.cached_property
    def _camera_blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """First place and place after the last, in `order`, of the images of each image's identity and camera."""
        key = np.stack([self.group, self._cameras], axis=1)
        _, block, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
        block = block.reshape(-1)
        start = np.cumsum(count) - count
        return start[block], start[block] + count[block]
