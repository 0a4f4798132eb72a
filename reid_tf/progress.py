"""Progress where somebody watches it; where nobody does, one line that says what is being done."""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any

logger = logging.getLogger(__name__)


def is_watched() -> bool:
    """Returns whether output is read as it comes: on a terminal, or in a notebook."""
    return sys.stdout.isatty() or "ipykernel" in sys.modules


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    what: str,
    unit: str,
    total: int | None = None,
    shown: bool = True,
    **options: Any,
) -> Any:
    """Makes a progress bar; where nobody watches, a line in the log takes its place.

    Args:
        iterable: iterable, or None for a bar that is moved by `update`.
        what: str. What is being done ("drawing").
        unit: str. What is counted ("image").
        total: int, or None for the length of the iterable.
        shown: bool. Whether anything is to be seen at all.
        **options: other arguments of tqdm.

    Returns:
        A context manager with `update`, and an iterator over the iterable: a bar of tqdm's,
        or what does nothing.
    """
    if not (shown and is_watched()):
        if shown:
            announce(what, unit, total)
        return _Nothing(iterable)
    from tqdm import tqdm

    return tqdm(iterable, desc=what, unit=unit, total=total, **options)


def announce(what: str, unit: str, total: int | None = None) -> None:
    """Logs what is being done, where nobody watches a bar of it.

    Args:
        what: str.
        unit: str. What is counted.
        total: int, or None where it is not known.
    """
    if not is_watched():
        count = "" if total is None else f" {total:,} {unit}{'' if total == 1 else 's'}"
        logger.info("%s%s", what, count)


class _Nothing:
    """What a bar does, without the bar."""

    def __init__(self, iterable: Iterable[Any] | None) -> None:
        self._iterable = iterable or ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def update(self, number: float = 1) -> None:
        """Moves nothing."""
