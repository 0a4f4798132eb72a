"""Files that are either complete at their name or not there."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name in the same folder; what is written there gets the final name when the block succeeds.

    Args:
        path: str or Path. The final name; its folder is made when missing. The suffix is kept, because libraries choose
            the format by it.

    Yields:
        Path to write to. It is removed when the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Writes a value as indented JSON, complete or not at all; NaN and infinity raise `ValueError`."""
    with written_beside(path) as beside:
        beside.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")
