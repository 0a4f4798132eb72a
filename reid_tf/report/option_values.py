"""Option values in tables and on axes."""

import numbers
from collections.abc import Sequence
from typing import Any

_LOGARITHMIC_FROM = 100


def option_text(value: Any) -> str:
    """Returns a value as a configuration writes it: null, true, 0.3."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def axis_places(values: Sequence[Any]) -> tuple[list[float], bool]:
    """Places option values on an axis.

    Args:
        values: sequence of option values.

    Returns:
        list of float, the place of each value: its own where all are numbers, otherwise
        0, 1, ... in the order of their first appearance; and whether all are numbers.
    """
    if all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in values):
        return [float(value) for value in values], True
    order = {text: place for place, text in enumerate(dict.fromkeys(map(option_text, values)))}
    return [float(order[option_text(value)]) for value in values], False


def spans_decades(values: Sequence[Any]) -> bool:
    """Returns whether values are positive numbers over two decades or more, so that a linear axis would crowd them."""
    numeric = axis_places(values)[1]
    return numeric and min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM
