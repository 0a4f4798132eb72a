"""The share of pairs that show one person, and how it moves over the epochs."""

import dataclasses

import numpy as np

from reid_tf.errors import InputError
from reid_tf.pipeline.samplers.identity_groups import IdentityGroups


@dataclasses.dataclass(frozen=True)
class PositiveShare:
    """Share of same-identity pairs among all pairs.

    Args:
        first: float in [0, 1]. In the first epoch.
        last: float in [0, 1], or None for no change. In the last epoch; on the way the
            negatives for each positive grow by equal steps (from 1 to 4 when the share
            falls from 0.5 to 0.2).
        epochs: int >= 1. After them the share stays.

    Raises:
        InputError: a share lies outside [0, 1], or one of two different shares is 0.
    """

    first: float
    last: float | None
    epochs: int

    def __post_init__(self) -> None:
        for name, share in (("positive_share", self.first), ("final_positive_share", self.last)):
            if share is not None and not 0.0 <= share <= 1.0:
                raise InputError(f"{name} must lie in [0, 1]. Received: {share}.")
        if self.last is not None and self.last != self.first and 0.0 in (self.first, self.last):
            raise InputError(
                "A share that changes must stay above 0, so that the negatives per positive are finite. "
                f"Received: positive_share={self.first}, final_positive_share={self.last}."
            )

    @property
    def largest(self) -> float:
        """The largest share of all epochs."""
        return max(self.first, self.first if self.last is None else self.last)

    @property
    def smallest(self) -> float:
        """The smallest share of all epochs."""
        return min(self.first, self.first if self.last is None else self.last)

    def at(self, epoch: int) -> float:
        """Returns the share of an epoch, counted from 0."""
        if self.last is None or self.last == self.first:
            return self.first
        progress = min(epoch / max(self.epochs - 1, 1), 1.0)
        first, last = (1.0 - self.first) / self.first, (1.0 - self.last) / self.last
        return 1.0 / (1.0 + first + (last - first) * progress)


def check_partners(groups: IdentityGroups, share: PositiveShare) -> None:
    """Raises an `InputError` where the images cannot give a pair that the share asks for."""
    if share.largest > 0.0 and np.all(groups.count == 1):
        raise InputError(
            f"positive_share={share.largest} needs an identity with at least two images, but each of the "
            f"{len(groups)} has only one."
        )
    if share.smallest < 1.0 and len(groups) < 2:
        raise InputError(
            f"positive_share={share.smallest} needs at least two identities, but there is only {len(groups)}."
        )
