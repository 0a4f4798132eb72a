"""How much memory a process holds."""

import re
from pathlib import Path

from reid_tf.errors import InputError


def resident_bytes(process: int | str = "self") -> int:
    """Returns how much memory a process holds at the moment.

    Args:
        process: int, or "self". Its number.

    Raises:
        InputError: there is no such process, or this system does not say it.
    """
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError as error:
        raise InputError(f"The memory of process {process} is not to be had as on Linux: {error}.") from error
    return 1024 * int(found[1]) if found else 0
