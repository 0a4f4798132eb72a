"""The published attribute files, `market_attribute.mat` and `duke_attribute.mat`, read and written.

Each holds one struct per split, `train` and `test`, with one field per question of one
value per identity, counted from 1, and the identities' names in `image_index`. The two
structs list their fields in different orders, so fields are taken by name.

References:
    Lin et al., Improving Person Re-identification by Attribute and Identity Learning,
    Pattern Recognition 2019.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reid_tf.datasets.attributes.fields import DUKEMTMC_FIELDS, MARKET1501_FIELDS, AttributeFields
from reid_tf.datasets.readers.mat import mat_variables, read_mat, strings
from reid_tf.errors import InputError
from reid_tf.files import written_beside

_MARKET, _DUKE = "market_attribute", "duke_attribute"
_IDENTITY = re.compile(r"0*\d{1,18}")
_FIELDS = {_MARKET: MARKET1501_FIELDS, _DUKE: DUKEMTMC_FIELDS}


def read_market_attributes(path: str | Path) -> dict[int, tuple[int, ...]]:
    """Reads the attributes of every identity of Market-1501, of the training and the test half together.

    Args:
        path: str or Path. A `market_attribute.mat`.

    Returns:
        dict from identity to one class index per group of `MARKET1501_SCHEMA`.

    Raises:
        InputError: the file is missing, of another kind or data set, or damaged, lacks
            a field, holds a value that the field cannot have, or names an identity that
            is not a number or is there twice.
    """
    return _read(path, _MARKET)


def read_duke_attributes(path: str | Path) -> dict[int, tuple[int, ...]]:
    """Reads the attributes of every identity of DukeMTMC-reID, of the training and the test half together.

    Args:
        path: str or Path. A `duke_attribute.mat`.

    Returns:
        dict from identity to one class index per group of `DUKEMTMC_SCHEMA`.

    Raises:
        InputError: as `read_market_attributes()`.
    """
    return _read(path, _DUKE)


def write_market_attributes(
    path: str | Path, train: Mapping[int, tuple[int, ...]], test: Mapping[int, tuple[int, ...]]
) -> None:
    """Writes a `market_attribute.mat` that this reader, and MATLAB, read like the original.

    Args:
        path: str or Path. The file to write; it is replaced in one step.
        train: mapping of identity to one class index per group of `MARKET1501_SCHEMA`.
        test: mapping as `train`, of the test identities.

    Raises:
        InputError: a class index is not one of its group; the format has no value for
            an unknown class (-1).
    """
    _write(path, _MARKET, train, test)


def write_duke_attributes(
    path: str | Path, train: Mapping[int, tuple[int, ...]], test: Mapping[int, tuple[int, ...]]
) -> None:
    """Writes a `duke_attribute.mat` that this reader, and MATLAB, read like the original.

    Args:
        path: str or Path. The file to write; it is replaced in one step.
        train: mapping of identity to one class index per group of `DUKEMTMC_SCHEMA`.
        test: mapping as `train`, of the test identities.

    Raises:
        InputError: as `write_market_attributes()`.
    """
    _write(path, _DUKE, train, test)


def _read(path: str | Path, variable: str) -> dict[int, tuple[int, ...]]:
    file = _struct(path, variable)
    attributes: dict[int, tuple[int, ...]] = {}
    for split in ("train", "test"):
        if file.dtype.names is None or split not in file.dtype.names:
            raise InputError(f"{str(path)!r} lacks the struct '{variable}.{split}'; it has: {file.dtype.names}.")
        where = f"{str(path)!r}, struct {split!r}"
        names, values = _columns(_only(file, split, str(path)), _FIELDS[variable], where)
        for name, answers in zip(names, _FIELDS[variable].decode(values), strict=True):
            if not _IDENTITY.fullmatch(name):
                raise InputError(f"{where}: image_index must hold numbers. Received: {name!r}.")
            if int(name) in attributes:
                raise InputError(f"{str(path)!r} holds the attributes of identity {int(name)} twice.")
            attributes[int(name)] = answers
    return attributes


def _struct(path: str | Path, variable: str) -> np.ndarray:
    found = set(mat_variables(path))
    others = sorted(found & set(_FIELDS) - {variable})
    if variable not in found and others:
        raise InputError(
            f"{str(path)!r} has the schema of another data set: it holds the struct {others[0]!r}, not {variable!r}."
        )
    struct: np.ndarray = read_mat(path, (variable,))[variable]
    return struct


def _columns(struct: np.ndarray, fields: AttributeFields, where: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """Returns the identities' names, and every field as a vector of their values, counted from 0."""
    found = struct.dtype.names or ()
    missing = [name for name in (*fields.sizes, "image_index") if name not in found]
    if missing:
        raise InputError(f"{where} lacks the field {missing[0]!r}; it has: {', '.join(found) or 'none'}.")
    names = strings(_only(struct, "image_index", where))
    values = {}
    for field, size in fields.sizes.items():
        column = _only(struct, field, where).ravel()
        if len(column) != len(names):
            raise InputError(f"{where}: the field {field!r} has {len(column)} values for {len(names)} identities.")
        wrong = column.dtype.kind not in "iuf" or not np.isin(column, range(1, size + 1)).all()
        if wrong:
            received = next(value for value in column.tolist() if value not in range(1, size + 1))
            raise InputError(f"{where}: the field {field!r} must hold 1 to {size}. Received: {received!r}.")
        values[field] = column.astype(np.int64) - 1
    return names, values


def _only(struct: np.ndarray, field: str, where: str) -> np.ndarray:
    """What a field of a struct holds, which must not be one of several structs."""
    if struct.size != 1:
        raise InputError(f"{where}: the struct with the field {field!r} must be one. Received: {struct.size}.")
    value: np.ndarray = struct[field].item()
    return value


def _write(
    path: str | Path, variable: str, train: Mapping[int, tuple[int, ...]], test: Mapping[int, tuple[int, ...]]
) -> None:
    structs = {}
    for split, attributes in (("test", test), ("train", train)):
        identities = sorted(attributes)
        values = _FIELDS[variable].encode({f"Identity {identity}": attributes[identity] for identity in identities})
        names = np.empty((1, len(identities)), object)  # an array of objects becomes a cell array
        names[0, :] = [f"{identity:04d}" for identity in identities]
        structs[split] = {field: (column + 1).astype(np.uint8) for field, column in values.items()}
        structs[split]["image_index"] = names
    from scipy import io

    with written_beside(path) as beside:
        io.savemat(beside, {variable: structs}, appendmat=False, oned_as="row", do_compression=True)
