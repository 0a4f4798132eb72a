"""JSON files, and a sentence for what is none."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError


def read_json(path: Path) -> Any:
    """Returns what a JSON file holds.

    Args:
        path: Path. The file.

    Raises:
        InputError: the file cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"The file {str(path)!r} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:  # not JSON, not even text, or lists in lists without an end
        raise InputError(f"{str(path)!r} is not a JSON file: {error}.") from error


def json_numbers(path: Path, field: str, values: Any, count: int, meaning: str) -> np.ndarray:
    """Returns a list of numbers out of a JSON file.

    Args:
        path: Path. The file, for the message.
        field: str. The list's name in the file.
        values: the list, or whatever is there instead.
        count: int. How many numbers it must have.
        meaning: str. What they are, for the message: "left, top, width, height".

    Returns:
        float64 [count].

    Raises:
        InputError: these are not so many finite numbers.
    """
    try:
        numbers = np.asarray(values, np.float64).reshape(-1)
    except (ValueError, TypeError, OverflowError):
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise InputError(
            f"{str(path)!r}: {field} must be {count} numbers ({meaning}), all finite. Received: {str(values)[:80]}."
        )
    return numbers
