"""Processes: one for a measurement, which leaves nothing behind, and how much memory one holds."""

import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from reid_tf.errors import InputError


def in_own_process(function: Callable[..., Any], *given: Any) -> Any:
    """Calls a function in a new process and returns what it returns.

    Args:
        function: found by its name in the new process.
        *given: its arguments, which can be pickled.

    Raises:
        InputError: the process ended before it had an answer; or what the function
            raises.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(function, *given).result()
        except BrokenProcessPool as error:
            raise InputError(
                f"The process of {function.__name__!r} ended before it had an answer; memory may have run out."
            ) from error


def resident_bytes(process: int | str = "self") -> int:
    """Returns how much memory a process holds at the moment.

    Args:
        process: int, or "self". Its number.

    Raises:
        InputError: there is no such process, it has ended, or this system does not say
            it.
    """
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError as error:
        raise InputError(f"The memory of process {process} is not to be had as on Linux: {error}.") from error
    if found is None:
        raise InputError(f"A process that has ended holds no memory. Received: {process}.")
    return 1024 * int(found[1])
