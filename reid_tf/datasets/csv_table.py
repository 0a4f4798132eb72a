"""Any data set that a table lists: one row an image."""

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

from reid_tf.datasets.attributes import UNKNOWN, AttributeGroup, AttributeSchema
from reid_tf.datasets.folders import Split, contents
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.record import JUNK, Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

DEFAULT_FILE = "records.csv"
SPLITS = ("train", "query", "gallery")
ATTRIBUTE_PREFIX = "attribute_"
_WHOLE_NUMBER = re.compile(r"-?\d+")


_Line = tuple[int, list[str]]  # its number in the file, its cells


class _Table:
    """The rows below the header; a cell's place is known when it is wrong."""

    def __init__(self, path: Path, header: Sequence[str], lines: Sequence[_Line]) -> None:
        self.path, self.header, self.lines = path, list(header), lines
        for number, cells in lines:
            if len(cells) != len(header):
                raise InputError(
                    f"{str(path)!r}, line {number}: must have {len(header)} cells, as the header. "
                    f"Received: {len(cells)}."
                )

    def column(self, name: str) -> list[str]:
        position = self.header.index(name)
        return [cells[position] for _, cells in self.lines]

    def filled(self, name: str) -> list[str]:
        column = self.column(name)
        if "" in column:
            raise self.wrong(column.index(""), name, "must not be empty")
        return column

    def wrong(self, row: int, column: str, rule: str) -> InputError:
        number, cells = self.lines[row]
        received = cells[self.header.index(column)]
        return InputError(f"{str(self.path)!r}, line {number}, column {column!r}: {rule}. Received: {received!r}.")


@DATASETS.register("csv_table")
def csv_table(
    root: str | None,
    *,
    path_column: str = "path",
    identity_column: str = "identity",
    camera_column: str | None = "camera",
    split_column: str = "split",
    attributes: tuple[str, ...] = (),
    delimiter: str = ",",
    landmarks: str | None = None,
) -> ReIDDataset:
    """Reads a data set from a CSV file with a header and one row an image.

    Image paths are relative to the CSV file's folder, or absolute. Identities that are all whole numbers keep their
    number ("0007" is 7); otherwise they are text, numbered in sorted order, and `identity_names` holds the text.
    Cameras are treated alike. An attribute's classes are its distinct values in sorted order; an empty cell is unknown.

    Args:
        root: str, or None. The CSV file, or the folder that holds it as `records.csv` or as its only CSV file.
        path_column: str. The column of image paths.
        identity_column: str. The column of identities.
        camera_column: str, or None. The column of cameras; None, for a table without one, makes them all camera 0.
        split_column: str. The column that says "train", "query" or "gallery".
        attributes: tuple of str. The attribute columns; none given takes those whose name begins with `attribute_`.
        delimiter: str. What separates the columns: one character, such as ";".
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` beside the CSV file, if it is there.

    Returns:
        `ReIDDataset`, each split in the order of the rows.

    Raises:
        InputError: the file or a column is missing, or a cell cannot be what it should; the message names the line and
            the column.
    """
    path = _find_table(root)
    header, lines = _read_lines(path, delimiter)
    chosen = tuple(attributes) or tuple(name for name in header if name.startswith(ATTRIBUTE_PREFIX))
    for column in (path_column, identity_column, camera_column, split_column, *chosen):
        if column is not None and column not in header:
            raise InputError(f"{str(path)!r} lacks the column {column!r}; its columns are: {', '.join(header)}.")
    table = _Table(path, header, lines)
    images = [os.path.join(path.parent, cell) for cell in table.filled(path_column)]
    identities, names = _numbers(table.filled(identity_column))
    if names is None and JUNK in identities:
        raise table.wrong(identities.index(JUNK), identity_column, "must not be -1, which is kept for junk")
    cameras = [0] * len(images) if camera_column is None else _numbers(table.filled(camera_column))[0]
    schema, answers = _attributes(table, chosen)
    rows = zip(images, identities, cameras, answers, strict=True)
    train, query, gallery = _splits([Record(*row) for row in rows], table, split_column)
    dataset = ReIDDataset("csv_table", train, query, gallery, attribute_schema=schema, identity_names=names)
    return add_landmarks(dataset, path.parent, landmarks)


def _find_table(root: str | None) -> Path:
    if root is None:
        raise InputError(f"The data set 'csv_table' needs a CSV file or its folder: --data ROOT. Received: {root!r}.")
    path = Path(root)
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"The CSV file or folder {root!r} for the data set 'csv_table' does not exist.")
    if (path / DEFAULT_FILE).is_file():
        return path / DEFAULT_FILE
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv")
    if len(tables) != 1:
        raise InputError(
            f"The folder {root!r} must hold {DEFAULT_FILE} or exactly one CSV file. Found: {contents(path)}."
        )
    return tables[0]


def _read_lines(path: Path, delimiter: str) -> tuple[list[str], list[_Line]]:
    if len(delimiter) != 1:
        raise InputError(f"The delimiter of a CSV file must be one character. Received: {delimiter!r}.")
    try:
        # utf-8-sig: spreadsheet programs put a byte-order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{str(path)!r} cannot be read as a CSV file in UTF-8: {error}.") from error
    if len(lines) < 2:
        raise InputError(f"{str(path)!r} must hold a header and at least one row. Received: {len(lines)} lines.")
    header = lines[0][1]
    if len(set(header)) != len(header):
        raise InputError(f"{str(path)!r} has a column name twice: {', '.join(header)}.")
    return header, lines[1:]


def _splits(records: Sequence[Record], table: _Table, column: str) -> tuple[Split, Split, Split]:
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for row, (record, split) in enumerate(zip(records, table.column(column), strict=True)):
        if split not in SPLITS:
            raise table.wrong(row, column, f"must be one of {', '.join(SPLITS)}")
        splits[split].append(record)
    train, query, gallery = map(tuple, splits.values())
    return train, query, gallery


def _numbers(cells: Sequence[str]) -> tuple[list[int], dict[int, str] | None]:
    """Returns a column as numbers, and the text of each number where the column is text."""
    if all(map(_WHOLE_NUMBER.fullmatch, cells)):
        return [int(cell) for cell in cells], None
    names = sorted(set(cells))
    number = {name: index for index, name in enumerate(names)}
    return [number[cell] for cell in cells], dict(enumerate(names))


def _attributes(
    table: _Table, columns: Sequence[str]
) -> tuple[AttributeSchema | None, Sequence[tuple[int, ...] | None]]:
    """Returns what the attribute columns mean, and every row's class indices."""
    if not columns:
        return None, [None] * len(table.lines)
    groups = []
    answers = []
    for column in columns:
        cells = table.column(column)
        classes = _sorted_classes(set(cells) - {""})
        if not classes:
            raise InputError(f"{str(table.path)!r}, column {column!r}: all {len(cells)} rows are empty.")
        index = {name: position for position, name in enumerate(classes)} | {"": UNKNOWN}
        groups.append(AttributeGroup(column.removeprefix(ATTRIBUTE_PREFIX), classes))
        answers.append([index[cell] for cell in cells])
    return AttributeSchema(tuple(groups)), list(zip(*answers, strict=True))


def _sorted_classes(values: set[str]) -> tuple[str, ...]:
    if all(map(_WHOLE_NUMBER.fullmatch, values)):
        return tuple(sorted(values, key=lambda value: (int(value), value)))  # 2 before 10
    return tuple(sorted(values))
