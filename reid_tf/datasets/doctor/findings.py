"""What the data set doctor says: a sentence, and how grave it is."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing to know about a data set before training on it.

    Args:
        severity: "error" (figures would be wrong, or a run fails), "warning" (probably
            not what was meant) or "note".
        sentence: str. What it is, with the numbers and names, and what to do where that
            is not plain.
    """

    severity: Severity
    sentence: str


def named(items: Iterable[Any], limit: int = 10) -> str:
    """Returns the first `limit` items as text, and the number of the others."""
    items = [str(item) for item in items]
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Returns a number with its noun: "1 query", "2,228 queries"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
