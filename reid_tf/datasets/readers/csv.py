"""CSV files, and a sentence with line and column for a cell that is not what it should be."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_tf.errors import InputError

_DELIMITERS = (",", ";", "\t")
Line = tuple[int, list[str]]  # its number in the file as an editor counts, its cells


class CsvTable:
    """The rows of a CSV file by column; the place of every cell is known when it is wrong.

    Args:
        path: Path. The file, for messages.
        header: sequence of str. The columns' names.
        lines: sequence of (int, list of str). The number and the cells of each row,
            without the header.
    """

    def __init__(self, path: Path, header: Sequence[str], lines: Sequence[Line]) -> None:
        self.path, self.header, self.lines = path, list(header), lines
        for number, cells in lines:
            if len(cells) != len(header):
                raise InputError(
                    f"{str(path)!r}, line {number}: must have {len(header)} cells, {header[0]} to {header[-1]}. "
                    f"Received: {len(cells)}."
                )

    def column(self, name: str) -> list[str]:
        """Returns the cells of a column."""
        position = self.header.index(name)
        return [cells[position] for _, cells in self.lines]

    def filled(self, name: str) -> list[str]:
        """Returns the cells of a column, none of which may be empty."""
        column = self.column(name)
        if "" in column:
            raise self.wrong(column.index(""), name, "must not be empty")
        return column

    def numbers(self, name: str, whole: bool = False) -> np.ndarray:
        """Returns a column as float64 [rows], all of which must be finite, or int64 where they must be whole.

        A whole number of 2^53 or more, which a float does not hold exactly, is none.
        """
        values = np.array([_number(cell) for cell in self.column(name)], np.float64)
        right = np.isfinite(values)
        if whole:
            right &= (values == np.round(values)) & (np.abs(values) < 2**53)
        if not right.all():
            raise self.wrong(int(right.argmin()), name, f"must be a {'whole ' if whole else ''}number")
        return values.astype(np.int64) if whole else values

    def wrong(self, row: int, column: str, rule: str) -> InputError:
        """Returns the error for a cell: the rule that it breaks, its place and what it holds."""
        number, cells = self.lines[row]
        received = cells[self.header.index(column)]
        return InputError(f"{str(self.path)!r}, line {number}, column {column!r}: {rule}. Received: {received!r}.")


def read_csv(
    path: Path, required: Sequence[str], delimiter: str | None = None, header: Sequence[str] | None = None
) -> CsvTable:
    """Reads a CSV file in UTF-8; empty lines are passed over and the cells' outer spaces are cut.

    A line of spaces is empty.

    Args:
        path: Path.
        required: sequence of str. Columns that must be there.
        delimiter: str, or None. What separates the columns: one character; None takes
            the comma, semicolon or tab that the first row shows.
        header: sequence of str, or None. The columns' names of a file that does not say
            them; None takes its first row.

    Returns:
        `CsvTable` with at least one row.

    Raises:
        InputError: the file cannot be read as CSV, has no row, lacks a column or has
            its name twice, or a row has another number of cells than the header.
    """
    text = _read_text(path)
    lines = _split(path, text, delimiter or _delimiter(text, required if header is None else header, header is None))
    if len(lines) < (2 if header is None else 1):
        needed = "a header and at least one row" if header is None else "at least one row"
        raise InputError(f"{str(path)!r} must hold {needed}. Received: {len(lines)} lines.")
    if header is not None:
        return CsvTable(path, header, lines)
    names = lines[0][1]
    if len(set(names)) != len(names):
        raise InputError(f"{str(path)!r} has a column name twice: {', '.join(names)}.")
    for column in required:
        if column not in names:
            raise InputError(f"{str(path)!r} lacks the column {column!r}; its columns are: {', '.join(names)}.")
    return CsvTable(path, names, lines[1:])


def _read_text(path: Path) -> str:
    try:
        # utf-8-sig: spreadsheet programs put a byte-order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _delimiter(text: str, columns: Sequence[str], named: bool) -> str:
    """What separates the columns: by which the first row has the most of those wanted, or as many cells."""
    first = text.lstrip().partition("\n")[0]

    def fit(delimiter: str) -> int:
        cells = [cell.strip() for row in csv.reader([first], delimiter=delimiter) for cell in row]
        return len(set(columns) & set(cells)) if named else len(cells) == len(columns)

    return max(_DELIMITERS, key=fit)


def _split(path: Path, text: str, delimiter: str) -> list[Line]:
    if len(delimiter) != 1:
        raise InputError(f"The delimiter of a CSV file must be one character. Received: {delimiter!r}.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise _unreadable(path, error) from error
    return [(number, cells) for number, cells in rows if cells not in ([], [""])]


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{str(path)!r} cannot be read as a CSV file in UTF-8: {error}.")


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
