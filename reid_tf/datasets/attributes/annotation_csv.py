"""The attribute annotations as a CSV file: one row per identity or image, with `MARKET1501_SCHEMA`'s answers.

The fields are those of `market_attribute.mat`, and one more per colour group:
`upmulticolor` and `downmulticolor`.

References:
    Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
    Re-Identification of People.
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.attributes.fields import MARKET1501_FIELDS
from reid_tf.datasets.readers.csv import CsvTable, read_csv
from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.options import unknown

ID = "id"
FIELDS = dataclasses.replace(MARKET1501_FIELDS, multi_colour="multicolor")
COLUMNS = (
    *(ID, "age", "backpack", "bag", "handbag", "clothes", "down", "up", "hair", "hat", "gender", "upmulticolor"),
    *("upblack", "upwhite", "upred", "uppurple", "upyellow", "upgray", "upblue", "upgreen", "downmulticolor"),
    *("downblack", "downwhite", "downpink", "downpurple", "downyellow", "downgray", "downblue", "downgreen"),
    "downbrown",
)


def read_annotations(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Reads an annotation file.

    Values count from 1, or from 0 in the whole file if any of them is 0. A colour group
    with none or several colours set is "multi-colour". The columns may be in any order.

    Args:
        path: str or Path. The file.

    Returns:
        dict from the row's id, an identity's number or an image's file name, to one
        class index per group of `MARKET1501_SCHEMA`, in the order of the rows.

    Raises:
        InputError: the file is not such a CSV file, lacks a column or has another one,
            or a cell is empty, out of range or an id for the second time; the message
            names the line and the column.
    """
    table = read_csv(Path(path), COLUMNS)
    for column in table.header:
        if column not in COLUMNS:
            raise InputError(f"{str(path)!r}, line 1: {unknown('column of an annotation file', column, COLUMNS)}")
    names = table.filled(ID)
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if first.setdefault(name, row) != row:
            raise table.wrong(row, ID, f"must not be in line {table.lines[first[name]][0]} too")
    return dict(zip(names, FIELDS.decode(_values(table)), strict=True))


def write_annotations(path: str | Path, attributes: Mapping[str, Sequence[int]]) -> None:
    """Writes an annotation file whose values count from 1, in the order of the mapping.

    Args:
        path: str or Path. The file to write; it is replaced in one step.
        attributes: mapping of image file name (or an identity's number as text) to one
            class index per group of `MARKET1501_SCHEMA`.

    Raises:
        InputError: a class index is not one of its group; the format has no value for
            an unknown class (-1).
    """
    values = FIELDS.encode({f"{name!r}": answers for name, answers in attributes.items()})
    columns = [(values[column] + 1).tolist() for column in COLUMNS if column != ID]
    with written_beside(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(zip(attributes, *columns, strict=True))


def _values(table: CsvTable) -> dict[str, np.ndarray]:
    """Returns every field's values counted from 0; one 0 anywhere decides that the file does so itself."""
    cells = {field: table.column(field) for field in FIELDS.sizes}
    zero = next(((table.lines[column.index("0")][0], field) for field, column in cells.items() if "0" in column), None)
    least = 1 if zero is None else 0
    values = {}
    for field, size in FIELDS.sizes.items():
        allowed = {str(value + least): value for value in range(size)}
        for row, cell in enumerate(cells[field]):
            if cell not in allowed:
                because = "" if zero is None else f" as the file counts from 0 (line {zero[0]}, column {zero[1]!r})"
                raise table.wrong(row, field, f"must be {least} to {size - 1 + least}{because}")
        values[field] = np.array([allowed[cell] for cell in cells[field]], np.int64)
    return values
