"""Ranked lists as a file, one query per line, the nearest image first: text, or JSON lines for names of any kind.

Text is `query: name, name, ...`. A file that ends in `.jsonl` holds one JSON object per
line, `{"query": name, "ranked": [name, name, ...]}`.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.schema import of_fields, parse_json

JSON_LINES = ".jsonl"
_AFTER_QUERY, _BETWEEN = ": ", ", "


def check_names(path: str | Path, names: Iterable[str]) -> None:
    """Refuses names that a file of ranked lists cannot hold, before anything is ranked.

    Args:
        path: str or Path. The file to be written; one of JSON lines holds any name.
        names: iterable of str. Of queries and of what may be found.

    Raises:
        InputError: a name is empty, holds what separates names in the text, or is no
            Unicode.
    """
    for name in names if not _is_json(path) else ():
        separates = any(part in name for part in (_AFTER_QUERY, _BETWEEN, "\n", "\r"))
        if not name or separates or _is_no_unicode(name):
            raise InputError(
                "An image in a text of ranked lists needs a name in Unicode without ': ', ', ' and line breaks; a file "
                f"that ends in {JSON_LINES} holds any name. Received: {name!r}."
            )


def write_ranked_lists(path: str | Path, lists: Mapping[str, Sequence[str]]) -> None:
    """Writes ranked lists in the order given; every line ends with a line feed.

    Args:
        path: str or Path. The file, complete or absent at this name; JSON lines where
            it ends in `.jsonl`.
        lists: mapping from a query's name to the names found, nearest first.

    Raises:
        InputError: a list is empty, or as `check_names()`.

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, section 3.6.7 (their `reid_test.txt`).
    """
    for query, names in lists.items():
        if not len(names):
            raise InputError(f"A ranked list needs at least one name. Received: {list(names)!r} for {query!r}.")
        check_names(path, (query, *names))
    line = _json_line if _is_json(path) else _text_line
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"{line(query, names)}\n" for query, names in lists.items())


def read_ranked_lists(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Reads what `write_ranked_lists()` wrote; empty lines are passed over.

    Args:
        path: str or Path. The file; JSON lines where it ends in `.jsonl`.

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
    parse = _from_json if _is_json(path) else _from_text
    lists: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        where = f"{str(path)!r}, line {number}"
        query, names = parse(line, where)
        if query in lists:
            raise InputError(f"{where}: a second list of the same query. Received: {query!r}.")
        lists[query] = names
    return lists


def _is_json(path: str | Path) -> bool:
    return Path(path).suffix.lower() == JSON_LINES


def _is_no_unicode(name: str) -> bool:
    """Whether a file's name holds bytes that are not UTF-8, which Python keeps as surrogates."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _text_line(query: str, names: Sequence[str]) -> str:
    return f"{query}{_AFTER_QUERY}{_BETWEEN.join(names)}"


def _from_text(line: str, where: str) -> tuple[str, tuple[str, ...]]:
    query, separator, names = line.partition(_AFTER_QUERY)
    if not (query and separator and all(names.split(_BETWEEN))):
        raise InputError(f"{where}: must be 'query: name, name, ...'. Received: {line!r}.")
    return query, tuple(names.split(_BETWEEN))


def _json_line(query: str, names: Sequence[str]) -> str:
    return json.dumps({"query": query, "ranked": list(names)})


def _from_json(line: str, where: str) -> tuple[str, tuple[str, ...]]:
    try:
        values = parse_json(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: must be a JSON object ({error}). Received: {line!r}.") from None
    found = of_fields(_Line, values, where)
    return found.query, found.ranked


@dataclasses.dataclass(frozen=True)
class _Line:
    query: str
    ranked: tuple[str, ...]
