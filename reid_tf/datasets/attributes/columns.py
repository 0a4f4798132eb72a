"""Attribute columns of a table: class indices, in a schema that the columns make or that was published."""

import re
from collections.abc import Sequence

from reid_tf.datasets.attributes.schema import SCHEMAS, UNKNOWN, AttributeGroup, AttributeSchema
from reid_tf.datasets.readers.csv import CsvTable
from reid_tf.errors import InputError
from reid_tf.options import unknown

ATTRIBUTE_PREFIX = "attribute_"
_WHOLE_NUMBER = re.compile(r"-?\d+")

Answers = Sequence[tuple[int, ...] | None]  # one per row


def schema_of_columns(table: CsvTable, columns: Sequence[str]) -> tuple[AttributeSchema | None, Answers]:
    """Makes a schema of the columns' distinct values, in sorted order; an empty cell is unknown.

    Args:
        table: `CsvTable`.
        columns: sequence of str. The attribute columns; where there is none, there is
            no schema.

    Returns:
        The `AttributeSchema` or None, and every row's class indices or None.

    Raises:
        InputError: a column is empty in every row.
    """
    if not columns:
        return None, [None] * len(table.lines)
    groups = []
    for column in columns:
        cells = table.column(column)
        classes = _sorted_classes(set(cells) - {""})
        if not classes:
            raise InputError(f"{str(table.path)!r}, column {column!r}: all {len(cells)} rows are empty.")
        groups.append(AttributeGroup(column.removeprefix(ATTRIBUTE_PREFIX), classes))
    answers = [_answers(table, *pair, indices=False) for pair in zip(columns, groups, strict=True)]
    return AttributeSchema(tuple(groups)), list(zip(*answers, strict=True))


def columns_of_schema(table: CsvTable, columns: Sequence[str], name: str) -> tuple[AttributeSchema, Answers]:
    """Reads the columns as answers to a published schema, by class name or index; an empty cell is unknown.

    Args:
        table: `CsvTable`.
        columns: sequence of str. The attribute columns, named like groups; a group
            without a column is unknown.
        name: str. The schema's name: a key of `SCHEMAS`.

    Returns:
        The `AttributeSchema`, and every row's class indices.

    Raises:
        InputError: a column is not a group of the schema, there is no column at all, or
            a cell is not a class of its group.
    """
    schema = SCHEMAS[name]
    names = [group.name for group in schema.groups]
    column_of = {column.removeprefix(ATTRIBUTE_PREFIX): column for column in columns}
    for answered, column in column_of.items():
        if answered not in names:
            raise InputError(f"{str(table.path)!r}, column {column!r}: {unknown(f'group of {name}', answered, names)}")
    if not column_of:
        raise InputError(
            f"{str(table.path)!r} has no attribute column for schema={name!r}; its columns are: "
            f"{', '.join(table.header)}."
        )
    answers = [
        _answers(table, column_of[group.name], group, indices=True)
        if group.name in column_of
        else [UNKNOWN] * len(table.lines)
        for group in schema.groups
    ]
    return schema, list(zip(*answers, strict=True))


def _answers(table: CsvTable, column: str, group: AttributeGroup, indices: bool) -> list[int]:
    """Returns the class index of every cell of a column; `indices` lets a cell hold the index itself."""
    index_of = {str(index): index for index in range(len(group.classes))} if indices else {}
    index_of |= {answer: index for index, answer in enumerate(group.classes)} | {"": UNKNOWN}
    cells = table.column(column)
    for row, cell in enumerate(cells):
        if cell not in index_of:
            rule = f"must be one of {', '.join(group.classes)}, or 0 to {len(group.classes) - 1}, or empty"
            raise table.wrong(row, column, rule)
    return [index_of[cell] for cell in cells]


def _sorted_classes(values: set[str]) -> tuple[str, ...]:
    if all(map(_WHOLE_NUMBER.fullmatch, values)):
        return tuple(sorted(values, key=lambda value: (int(value), value)))  # 2 before 10
    return tuple(sorted(values))
