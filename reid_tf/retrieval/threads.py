"""Row-wise NumPy work on all processor cores."""

import contextlib
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from reid_tf.retrieval.embeddings import row_blocks

# Small enough for the pieces of a block to keep all cores busy, large enough to outweigh handing them out.
_ROWS_A_PIECE = 32

# Calls a function on successive slices of so many rows, at any time; its results are in the order of the slices.
OverRows = Callable[[Callable[[slice], Any], int], list[Any]]

_here = threading.local()


@contextlib.contextmanager
def row_threads() -> Iterator[OverRows]:
    """Gives a function that spreads row-wise work over threads, which NumPy lets run side by side.

    Within such a thread it does the work itself: all cores are busy already.

    Yields:
        Function of (work, count): calls `work(rows)` for slices that together cover
        `count` rows, and returns the results when all are done. What `work` raises is
        raised there.
    """
    if getattr(_here, "is_busy", False):
        yield lambda work, count: [work(rows) for rows in row_blocks(count, _ROWS_A_PIECE)]
        return
    with ThreadPoolExecutor(cores(), initializer=_set_busy) as pool:

        def over_rows(work: Callable[[slice], Any], count: int) -> list[Any]:
            return list(pool.map(work, row_blocks(count, _ROWS_A_PIECE)))

        yield over_rows


@contextlib.contextmanager
def each_alone() -> Iterator[Callable[[Callable[[int], Any], int], list[Any]]]:
    """Gives a function that spreads things over threads, one thing at a time, each on a core of its own.

    Yields:
        Function of (work, count): calls `work(number)` for 0 .. count - 1 and returns
        the results. Matrix products in it take one core where threadpoolctl, which
        scikit-learn brings, is there to see to it.
    """
    with contextlib.ExitStack() as limits, ThreadPoolExecutor(cores(), initializer=_set_busy) as pool:
        if importlib.util.find_spec("threadpoolctl"):
            from threadpoolctl import threadpool_limits

            limits.enter_context(threadpool_limits(1, "blas"))
        yield lambda work, count: list(pool.map(work, range(count)))


def _set_busy() -> None:
    _here.is_busy = True


def cores() -> int:
    """Returns the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # fewer than the machine has, in a container or under taskset
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
