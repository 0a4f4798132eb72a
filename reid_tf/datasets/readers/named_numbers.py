"""Names of people and cameras as the numbers that records hold."""

import re
from collections.abc import Sequence

from reid_tf.datasets.record import fits_64_bits

_WHOLE_NUMBER = re.compile(r"-?0*\d{1,19}")


def as_numbers(names: Sequence[str]) -> tuple[list[int], dict[int, str] | None]:
    """Returns names as numbers, and each number's name where one is a text or a longer number: 0, 1, ... in order."""
    if all(_WHOLE_NUMBER.fullmatch(name) and fits_64_bits(int(name)) for name in names):
        return [int(name) for name in names], None
    distinct = sorted(set(names))
    number = {name: index for index, name in enumerate(distinct)}
    return [number[name] for name in names], dict(enumerate(distinct))
