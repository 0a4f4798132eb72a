"""Choices at random."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Returns one of `choices`, each as likely as the others."""
    return choices[int(rng.integers(len(choices)))]


def weighted(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """Returns one of the keys, as likely as its share of the sum says."""
    names = tuple(shares)
    weights = np.array([shares[name] for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
