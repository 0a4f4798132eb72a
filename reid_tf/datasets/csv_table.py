"""Any data set that a table lists: one row per image."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from reid_tf.datasets.attributes.columns import ATTRIBUTE_PREFIX, columns_of_schema, schema_of_columns
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.csv import CsvTable, read_csv
from reid_tf.datasets.readers.folders import Split, contents
from reid_tf.datasets.readers.named_numbers import as_numbers
from reid_tf.datasets.record import JUNK, Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

DEFAULT_FILE = "records.csv"
SPLITS = ("train", "query", "gallery")


@DATASETS.register("csv_table")
def csv_table(
    root: str | None,
    *,
    path_column: str = "path",
    identity_column: str = "identity",
    camera_column: str | None = "camera",
    split_column: str = "split",
    attributes: tuple[str, ...] = (),
    schema: Literal["market1501", "dukemtmc_reid"] | None = None,
    delimiter: str | None = None,
    landmarks: str | None = None,
) -> ReIDDataset:
    """Reads a data set from a CSV file with a header and one row per image.

    Image paths are relative to the CSV file's folder, or absolute; a path of Windows,
    with backslashes, is read as one with slashes where there is no file of its name.
    Identities that are all whole numbers of 64 bits keep their number ("0007" is 7);
    otherwise they are text, numbered in sorted order, and `identity_names` holds the
    text. Cameras are treated alike. An
    attribute's classes are its distinct values in sorted order, or those of a published
    schema, so that what was learnt on that data set can be compared; an empty cell is
    unknown.

    Args:
        root: str, or None. The CSV file, or the folder that holds it as `records.csv`
            or as its only CSV file.
        path_column: str. The column of image paths.
        identity_column: str. The column of identities.
        camera_column: str, or None. The column of cameras; None, for a table without
            one, makes them all camera 0.
        split_column: str. The column that says "train", "query" or "gallery".
        attributes: tuple of str. The attribute columns; none given takes those whose
            name begins with `attribute_`.
        schema: "market1501", "dukemtmc_reid", or None. The published schema whose
            groups the attribute columns answer (`attribute_hat` answers `hat`), each
            cell by the class's name or index; groups without a column are unknown. None
            makes the schema from the columns.
        delimiter: str, or None. What separates the columns: one character; None takes
            the comma, semicolon or tab whose header has the columns.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` beside
            the CSV file, if it is there.

    Returns:
        `ReIDDataset`, each split in the order of the rows.

    Raises:
        InputError: the file or a column is missing, a cell cannot be what it should, or
            an image is listed for two people; the message names the line and the
            column.
    """
    path = _find_table(root)
    places = (path_column, identity_column, split_column, *([] if camera_column is None else [camera_column]))
    table = read_csv(path, (*places, *attributes), delimiter)
    chosen = tuple(attributes) or tuple(name for name in table.header if name.startswith(ATTRIBUTE_PREFIX))
    images = [_find_image(path.parent, cell) for cell in table.filled(path_column)]
    identities, names = as_numbers(table.filled(identity_column))
    if names is None and JUNK in identities:
        raise table.wrong(identities.index(JUNK), identity_column, "must not be -1, which is kept for junk")
    _check_people(images, identities, table, identity_column)
    cameras = [0] * len(images) if camera_column is None else as_numbers(table.filled(camera_column))[0]
    meaning, answers = columns_of_schema(table, chosen, schema) if schema else schema_of_columns(table, chosen)
    rows = zip(images, identities, cameras, answers, strict=True)
    train, query, gallery = _splits([Record(*row) for row in rows], table, split_column)
    dataset = ReIDDataset("csv_table", train, query, gallery, attribute_schema=meaning, identity_names=names)
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


def _find_image(folder: Path, cell: str) -> str:
    path = os.path.join(folder, cell)
    return os.path.join(folder, cell.replace("\\", "/")) if "\\" in cell and not os.path.exists(path) else path


def _check_people(images: Sequence[str], identities: Sequence[int], table: CsvTable, column: str) -> None:
    first: dict[str, int] = {}
    names = table.column(column)
    for row, image in enumerate(images):
        other = first.setdefault(os.path.normpath(image), row)
        if identities[other] != identities[row]:
            rule = f"must be {names[other]!r}, as in line {table.lines[other][0]}"
            raise table.wrong(row, column, f"{rule}, since the image {image!r} is listed for two people")


def _splits(records: Sequence[Record], table: CsvTable, column: str) -> tuple[Split, Split, Split]:
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for row, (record, split) in enumerate(zip(records, table.column(column), strict=True)):
        if split not in SPLITS:
            raise table.wrong(row, column, f"must be one of {', '.join(SPLITS)}")
        splits[split].append(record)
    train, query, gallery = map(tuple, splits.values())
    return train, query, gallery
