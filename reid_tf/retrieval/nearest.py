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
    # All that tie at the k-th place are among the candidates of a row.
    candidates = np.flatnonzero(distances <= _limits(distances, k)[:, np.newaxis])
    rows, columns = np.divmod(candidates, distances.shape[1])
    order = np.lexsort((distances.ravel()[candidates], rows))  # stable: equal ones keep the order of their columns
    begins = np.searchsorted(rows, np.arange(len(distances)))
    found: np.ndarray = columns[order[begins[:, np.newaxis] + np.arange(k)]]
    return found


def _limits(distances: np.ndarray, k: int) -> np.ndarray:
    """A value for each row that at least k of its entries do not exceed, and not many more."""
    groups = distances.shape[1] // _GROUP
    if groups < 2 * k:
        return np.partition(distances, k - 1, axis=1)[:, k - 1]
    # The k groups of the smallest minima hold k such entries. Minima take one pass, where a partition takes several.
    minima = distances[:, : groups * _GROUP].reshape(len(distances), _GROUP, groups).min(axis=1)
    return np.partition(minima, k - 1, axis=1)[:, k - 1]
