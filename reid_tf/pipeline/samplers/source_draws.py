"""Draws from several data sets side by side, of each as many identities."""

from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.pipeline.samplers.identity_draws import IdentityDraws
from reid_tf.pipeline.samplers.identity_groups import IdentityGroups


class SourceDraws(IdentityDraws):
    """Draws P / S identities of each of S sources and K images of each; the smaller sources come more often.

    Args:
        identities: ints [N]. Identity of each training image; no source shares one.
        sources: sequence of N str, or None. Where each image comes from.
        identities_per_batch: int. P, a multiple of S times `replicas`.
        images_per_identity: int. K.
        replicas: int. Devices that share a batch; each gets as many identities of each
            source.

    Raises:
        InputError: there is one source, or P or K is not possible with these images.
    """

    def __init__(
        self,
        identities: Sequence[int] | np.ndarray,
        sources: Sequence[str] | None,
        identities_per_batch: int,
        images_per_identity: int,
        replicas: int,
    ) -> None:
        names, source_of = np.unique([] if sources is None else np.asarray(sources), return_inverse=True)
        if len(names) < 2:
            received = f"images of {names[0]} alone" if len(names) else f"sources={sources}"
            raise InputError(f"balance_sources needs a data set of several sources. Received: {received}.")
        if identities_per_batch % (len(names) * replicas):
            raise InputError(
                f"identities_per_batch must be a multiple of {len(names) * replicas}, so that each of the {len(names)} "
                f"sources has as many on each of the {replicas} replicas. Received: {identities_per_batch}."
            )
        super().__init__(IdentityGroups(identities), identities_per_batch, images_per_identity, replicas)
        self._replicas = replicas
        self._rows = [np.flatnonzero(source_of == number) for number in range(len(names))]
        each = identities_per_batch // len(names)
        self._parts = [
            IdentityDraws(IdentityGroups(np.asarray(identities)[rows]), each, images_per_identity, replicas)
            for rows in self._rows
        ]

    def __len__(self) -> int:
        """Draws in which the largest source comes once."""
        return max(map(len, self._parts))

    def epoch(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yields int64 [P, K] image indices, one identity per row, each replica's rows together."""
        streams = [_endless(part, child) for part, child in zip(self._parts, rng.spawn(len(self._parts)), strict=True)]
        for _ in range(len(self)):
            drawn = [rows[next(stream)] for rows, stream in zip(self._rows, streams, strict=True)]
            shares = zip(*(np.split(draw, self._replicas) for draw in drawn), strict=True)
            yield np.concatenate([draw for share in shares for draw in share])


def make_draws(
    identities: Sequence[int] | np.ndarray,
    sources: Sequence[str] | None,
    balance_sources: bool,
    identities_per_batch: int,
    images_per_identity: int,
    replicas: int,
) -> IdentityDraws:
    """Makes `SourceDraws` where the sources are to be balanced, and plain `IdentityDraws` elsewhere."""
    if balance_sources:
        return SourceDraws(identities, sources, identities_per_batch, images_per_identity, replicas)
    return IdentityDraws(IdentityGroups(identities), identities_per_batch, images_per_identity, replicas)


def _endless(draws: IdentityDraws, rng: np.random.Generator) -> Iterator[np.ndarray]:
    while True:
        yield from draws.epoch(rng)
