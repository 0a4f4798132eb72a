"""The smallest distances of each row, found without sorting the row."""

import numpy as np

_GROUP = 64  # columns whose smallest value stands for all of them


def nearest(distances: np.ndarray, k: int) -> np.ndarray:
    """Finds the k smallest entries of every row, smallest first; equal ones in the order of their columns.

    Args:
        distances: float32 [R, G]. Without NaN.
        k: int in 1 .. G.

    Returns:
        int64 [R, k]. Columns.
    """
    columns = np.empty((len(distances), k), np.int64)
    for row, (values, limit) in enumerate(zip(distances, _limits(distances, k), strict=True)):
        candidates = np.flatnonzero(values <= limit)  # all that tie at the k-th place are among them
        columns[row] = candidates[np.argsort(values[candidates], kind="stable")[:k]]
    return columns


def _limits(distances: np.ndarray, k: int) -> np.ndarray:
    """A value for each row that at least k of its entries do not exceed, and not many more."""
    groups = distances.shape[1] // _GROUP
    if groups < 2 * k:
        return np.partition(distances, k - 1, axis=1)[:, k - 1]
    # The k groups of the smallest minima hold k such entries. Minima take one pass, where a partition takes several.
    minima = distances[:, : groups * _GROUP].reshape(len(distances), _GROUP, groups).min(axis=1)
    return np.partition(minima, k - 1, axis=1)[:, k - 1]
