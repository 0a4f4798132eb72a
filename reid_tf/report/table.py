"""The table of an evaluation, as text."""

from collections.abc import Mapping, Sequence

from reid_tf.errors import InputError

_SHARES = {
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "mAP": "mAP (step)",
    "mAP_trapezoid": "mAP (trapezoid)",
    "mINP": "mINP",
}
_COUNTS = {"valid_queries": "valid queries", "skipped_queries": "skipped"}


def metrics_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Writes retrieval figures as a Markdown table that is aligned as plain text too.

    Args:
        rows: mapping of an encoder's name to its figures under the keys of
            `RetrievalMetrics.to_dict()`: fractions, written as percentages, with their
            spread where there is one, and the numbers of valid and skipped queries.

    Returns:
        str of several lines, without a line break at its end.

    Raises:
        InputError: there is no row, or a row lacks a figure.
    """
    if not rows:
        raise InputError(f"A table needs at least one encoder. Received: {dict(rows)!r}.")
    lines = [["%", *_SHARES.values(), *_COUNTS.values()]]
    for name, figures in rows.items():
        missing = [key for key in (*_SHARES, *_COUNTS) if key not in figures]
        if missing:
            raise InputError(f"The figures of {name!r} lack {', '.join(missing)}. Received: {', '.join(figures)}.")
        lines.append([name, *(_share(figures, key) for key in _SHARES), *(str(int(figures[key])) for key in _COUNTS)])
    return markdown_table(lines)


def _share(figures: Mapping[str, float], key: str) -> str:
    spread = figures.get(f"{key}_spread")
    return f"{100 * figures[key]:.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")


def table_row(cells: Sequence[str]) -> str:
    """Returns one line of a Markdown table, for tables that grow while something is measured."""
    return f"| {' | '.join(cells)} |"


def table_head(names: Sequence[str]) -> str:
    """Returns the first two lines of a Markdown table, before its `table_row`s."""
    return f"{table_row(names)}\n{table_row(['---'] * len(names))}"


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Writes cells as a Markdown table that is aligned as plain text too: the first column left, the others right.

    Args:
        lines: sequences of str, all of one length; the first one is the header.

    Returns:
        str of several lines, without a line break at its end.
    """
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    first, *others = ([*map(str.rjust, line, widths)] for line in lines)
    body = [first, rule, *others]
    for line, source in zip((first, *others), lines, strict=True):
        line[0] = source[0].ljust(widths[0])
    return "\n".join(f"| {' | '.join(line)} |" for line in body)
