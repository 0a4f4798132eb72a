"""Row-wise NumPy work on all processor cores."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reid_tf.retrieval.embeddings import row_blocks

# Small enough for the pieces of a block to keep all cores busy, large enough to outweigh handing them out.
_ROWS_A_PIECE = 32

# Calls a function on successive slices of so many rows, at any time; its results are in the order of the slices.
OverRows = Callable[[Callable[[slice], Any], int], list[Any]]


@contextlib.contextmanager
def row_threads() -> Iterator[OverRows]:
    """Gives a function that spreads row-wise work over threads, which NumPy lets run side by side.

    Yields:
        Function of (work, count): calls `work(rows)` for slices that together cover
        `count` rows, and returns the results when all are done. What `work` raises is
        raised there.
    """
    with ThreadPoolExecutor(cores()) as pool:

        def over_rows(work: Callable[[slice], Any], count: int) -> list[Any]:
            return list(pool.map(work, row_blocks(count, _ROWS_A_PIECE)))

        yield over_rows


def cores() -> int:
    """Returns the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # fewer than the machine has, in a container or under taskset
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
