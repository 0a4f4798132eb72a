"""JSON files, and a sentence for what is none."""

import json
from pathlib import Path
from typing import Any

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
    except ValueError as error:  # not JSON, or not even text
        raise InputError(f"{str(path)!r} is not a JSON file: {error}.") from error
