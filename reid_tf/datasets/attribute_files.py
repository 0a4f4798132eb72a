"""Market-1501's attribute file: `market_attribute.mat` in, class indices of `MARKET1501_SCHEMA` out, and back.

The file has one struct a split, `market_attribute.train` and `.test`, each with 27 fields of one value an identity and
the identities' names in `image_index`; the two structs list their fields in different orders, so fields are taken by
name. Two-way fields hold 1 or 2 and `age` 1 to 4. A colour is spread over one two-way field a colour, at most one of
which is 2; where none is, the piece has no single colour.

References:
    Lin et al., Improving Person Re-identification by Attribute and Identity Learning, Pattern Recognition 2019.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.io

from reid_tf.datasets.attributes import MARKET1501_SCHEMA, AttributeGroup
from reid_tf.datasets.mat_file import read_mat, strings
from reid_tf.errors import InputError
from reid_tf.files import written_beside

# The file's field for each group that has one; value 1 is the group's class 0. `up` and `down` are lengths in the file.
_FIELDS = {
    "gender": "gender",
    "hair": "hair",
    "sleeves": "up",
    "lower_length": "down",
    "lower_type": "clothes",
    "hat": "hat",
    "backpack": "backpack",
    "bag": "bag",
    "handbag": "handbag",
    "age": "age",
}
_COLOUR_PREFIXES = {"upper_colour": "up", "lower_colour": "down"}
_MULTI_COLOUR = "multi-colour"


def read_market_attributes(path: str | Path) -> dict[int, tuple[int, ...]]:
    """Reads the attributes of every identity, of the training and the test half together.

    Args:
        path: str or Path. A `market_attribute.mat`.

    Returns:
        dict from identity to one class index a group of `MARKET1501_SCHEMA`.

    Raises:
        InputError: the file is missing, of another kind or damaged, lacks a field, holds a value that the field cannot
            have, or names an identity that is not a number or stands there twice.
    """
    file = read_mat(path, ("market_attribute",))["market_attribute"]
    attributes: dict[int, tuple[int, ...]] = {}
    for split in ("train", "test"):
        if file.dtype.names is None or split not in file.dtype.names:
            raise InputError(f"{str(path)!r} lacks the struct 'market_attribute.{split}'; it has: {file.dtype.names}.")
        where = f"{str(path)!r}, struct {split!r}"
        columns = _columns(file[split].item(), where)
        classes = np.stack([_classes(columns, group, where) for group in MARKET1501_SCHEMA.groups], axis=1)
        for name, row in zip(columns["image_index"], classes.tolist(), strict=True):
            if not str(name).isdecimal():
                raise InputError(f"{where}: image_index must hold numbers. Received: {name!r}.")
            if int(name) in attributes:
                raise InputError(f"{str(path)!r} holds the attributes of identity {int(name)} twice.")
            attributes[int(name)] = tuple(row)
    return attributes


def write_market_attributes(
    path: str | Path, train: Mapping[int, tuple[int, ...]], test: Mapping[int, tuple[int, ...]]
) -> None:
    """Writes a `market_attribute.mat` that this reader, and MATLAB, read like the original.

    Args:
        path: str or Path. The file to write; it is replaced in one step.
        train: mapping of identity to one class index a group of `MARKET1501_SCHEMA`.
        test: mapping as `train`, of the test identities.

    Raises:
        InputError: a class index is not one of its group; the format has no value for an unknown class (-1).
    """
    structs = {"test": _struct(test), "train": _struct(train)}
    with written_beside(path) as beside:
        scipy.io.savemat(beside, {"market_attribute": structs}, appendmat=False, oned_as="row", do_compression=True)


def _columns(struct: np.ndarray, where: str) -> dict[str, np.ndarray | list[str]]:
    """Returns a struct's fields as vectors of one length, identities as text."""
    found = struct.dtype.names or ()
    wanted = [*_FIELDS.values(), *_colour_fields("upper_colour"), *_colour_fields("lower_colour"), "image_index"]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(f"{where} lacks the field {missing[0]!r}; it has: {', '.join(found) or 'none'}.")
    columns: dict[str, np.ndarray | list[str]] = {name: struct[name].item().ravel() for name in wanted[:-1]}
    columns["image_index"] = strings(struct["image_index"].item())
    lengths = {name: len(column) for name, column in columns.items()}
    for name, length in lengths.items():
        if length != lengths["image_index"]:
            raise InputError(
                f"{where}: the field {name!r} has {length} values for {lengths['image_index']} identities."
            )
    return columns


def _classes(columns: Mapping[str, np.ndarray | list[str]], group: AttributeGroup, where: str) -> np.ndarray:
    """Returns one group's class index of every identity."""
    if group.name in _FIELDS:
        return _checked(columns, _FIELDS[group.name], len(group.classes), where) - 1
    is_colour = np.stack([_checked(columns, field, 2, where) == 2 for field in _colour_fields(group.name)])
    multi_colour = group.classes.index(_MULTI_COLOUR)
    return np.where(is_colour.sum(axis=0) == 1, is_colour.argmax(axis=0), multi_colour)


def _checked(columns: Mapping[str, np.ndarray | list[str]], field: str, largest: int, where: str) -> np.ndarray:
    values = np.asarray(columns[field])
    wrong = [value for value in values if value not in range(1, largest + 1)]
    if wrong:
        raise InputError(f"{where}: the field {field!r} must hold 1 to {largest}. Received: {wrong[0]!r}.")
    return values.astype(np.int64)


def _colour_fields(group: str) -> list[str]:
    # "multi-colour", the last class, has no field: it is the absence of a single colour.
    classes = next(g.classes for g in MARKET1501_SCHEMA.groups if g.name == group)
    return [f"{_COLOUR_PREFIXES[group]}{colour}" for colour in classes if colour != _MULTI_COLOUR]


def _struct(attributes: Mapping[int, tuple[int, ...]]) -> dict[str, np.ndarray]:
    identities = sorted(attributes)
    rows = np.array([_row(identity, attributes[identity]) for identity in identities], np.int64)
    rows = rows.reshape(-1, len(MARKET1501_SCHEMA.groups))
    struct = {}
    for group, answers in zip(MARKET1501_SCHEMA.groups, rows.T, strict=True):
        if group.name in _FIELDS:
            struct[_FIELDS[group.name]] = (answers + 1).astype(np.uint8)
            continue
        for index, field in enumerate(_colour_fields(group.name)):
            struct[field] = np.where(answers == index, 2, 1).astype(np.uint8)
    names = np.empty((1, len(identities)), object)  # an array of objects becomes a cell array
    names[0, :] = [f"{identity:04d}" for identity in identities]
    struct["image_index"] = names
    return struct


def _row(identity: int, answers: tuple[int, ...]) -> tuple[int, ...]:
    groups = MARKET1501_SCHEMA.groups
    if len(answers) != len(groups):
        raise InputError(f"Identity {identity} needs {len(groups)} class indices. Received: {answers!r}.")
    for group, answer in zip(groups, answers, strict=True):
        if answer not in range(len(group.classes)):
            raise InputError(
                f"Identity {identity}: {group.name} must be 0 to {len(group.classes) - 1}. Received: {answer!r}."
            )
    return tuple(answers)
