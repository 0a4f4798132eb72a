"""Ranked lists as a text file: `query: name, name, ...`, one query per line, the nearest image first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reid_tf.errors import InputError
from reid_tf.files import written_beside

_AFTER_QUERY, _BETWEEN = ": ", ", "


def write_ranked_lists(path: str | Path, lists: Mapping[str, Sequence[str]]) -> None:
    """Writes ranked lists in the order given; every line ends with a line feed.

    Args:
        path: str or Path. The text file; it is complete or absent at this name.
        lists: mapping from a query's name to the names found, nearest first.

    Raises:
        InputError: a list is empty, or a name is, or holds what separates names in the
            file.

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, section 3.6.7 (their `reid_test.txt`).
    """
    for query, names in lists.items():
        if not len(names):
            raise InputError(f"A ranked list needs at least one name. Received: {list(names)!r} for {query!r}.")
        for name in (query, *names):
            if not name or any(part in name for part in (_AFTER_QUERY, _BETWEEN, "\n", "\r")):
                raise InputError(
                    f"An image in a ranked list needs a name without ': ', ', ' and line breaks. Received: {name!r}."
                )
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"{query}{_AFTER_QUERY}{_BETWEEN.join(names)}\n" for query, names in lists.items())


def read_ranked_lists(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Reads what `write_ranked_lists()` wrote; empty lines are passed over.

    Args:
        path: str or Path. The text file.

    Returns:
        dict from a query's name to the names found, nearest first, in the order of the
        lines.

    Raises:
        InputError: the file cannot be read, a line is not a ranked list, or a query is
            there twice.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} cannot be read as ranked lists in UTF-8: {error}.") from error
    lists: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        query, separator, names = line.partition(_AFTER_QUERY)
        if line and not (query and separator and all(names.split(_BETWEEN))):
            raise InputError(f"{str(path)!r}, line {number}: must be 'query: name, name, ...'. Received: {line!r}.")
        if query in lists:
            raise InputError(f"{str(path)!r}, line {number}: a second list of the same query. Received: {query!r}.")
        if line:
            lists[query] = tuple(names.split(_BETWEEN))
    return lists
