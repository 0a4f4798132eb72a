"""The formats 5 to 7.2 of MATLAB's `.mat` files, read here because SciPy's reader ends the process on damaged ones.

A file is a row of elements: type, length, content. The content of a matrix is elements
again: its flags, its lengths, its name, and then numbers, text, cells or fields. Every
length is compared with what there is before anything is made of it.

References:
    MathWorks, MAT-File Format, chapter 1 (Level 5 MAT-File Format).
"""

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

_Order = Literal["<", ">"]

_HEADER = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR, _NUMERIC = 1, 2, 4, range(6, 16)  # classes of arrays
_COMPLEX = 0x800
_DEEPEST = 32  # cells in cells
_MOST_BYTES = 2**31  # of a variable that is compressed


class _Matrix(NamedTuple):
    kind: int
    flags: int
    lengths: tuple[int, ...]
    name: str
    rest: "_Elements"


def mat5_names(content: bytes) -> list[str]:
    """Lists the variables of a file.

    Args:
        content: bytes. The whole file.

    Raises:
        ValueError, struct.error, zlib.error: the file is damaged.
    """
    return [matrix.name for matrix in _variables(content, headers=True)]


def read_mat5(content: bytes, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Reads some variables of a file.

    Args:
        content: bytes. The whole file.
        wanted: collection of str. The variables to read; others are passed over.

    Returns:
        dict from the names of those that are there to arrays with MATLAB's axes, as
        `scipy.io.loadmat` makes them: numbers in the type in which they are stored,
        text as strings without the last axis, cells as objects, structs as records of
        objects.

    Raises:
        ValueError, LookupError, struct.error, zlib.error: the file is damaged or has
            something else at such a name: complex numbers, sparse matrices, objects,
            functions.
    """
    there = [name in wanted for name in mat5_names(content)]
    variables = _variables(content, headers=False, chosen=there)
    return {matrix.name: _array(matrix, 0) for matrix in variables}


class _Elements:
    """The elements in some bytes, one after the other.

    Args:
        content: memoryview.
        order: str. The order of bytes: "<" or ">".
    """

    def __init__(self, content: memoryview, order: _Order) -> None:
        self.content, self.order, self._at = content, order, 0

    def __len__(self) -> int:
        """The bytes that are left."""
        return max(len(self.content) - self._at, 0)

    def next(self) -> tuple[int, memoryview]:
        """Returns type and content of the next element."""
        kind, length = struct.unpack_from(f"{self.order}II", self.content, self._at)
        start = self._at + 8
        if kind >> 16:  # at most four bytes, in the place of their length
            kind, length, start = kind & 0xFFFF, kind >> 16, self._at + 4
            if length > 4:
                raise ValueError(f"a small element has {length} bytes")
        if start + length > len(self.content):
            raise ValueError(f"an element has {length} bytes, and {len(self.content) - start} are there")
        self._at = start + length
        if kind != _COMPRESSED:
            self._at += -self._at % 8
        return kind, self.content[start : start + length]

    def numbers(self) -> np.ndarray:
        """Returns the numbers of the next element, in the type in which they are stored."""
        kind, content = self.next()
        stored = np.dtype(_NUMBERS[kind])
        return np.frombuffer(content, stored.newbyteorder(self.order)).astype(stored)

    def matrix(self) -> "_Elements":
        """Returns the elements of the next element, a matrix."""
        kind, content = self.next()
        if kind != _MATRIX:
            raise ValueError(f"an element is of type {kind}, not a matrix")
        return _Elements(content, self.order)


def _variables(content: bytes, headers: bool, chosen: Collection[bool] | None = None) -> Iterator[_Matrix]:
    """Yields the matrices of a file, or those chosen; where only headers are wanted, what follows may be cut off."""
    orders: dict[bytes, _Order] = {b"IM": "<", b"MI": ">"}
    order = orders.get(content[126:128])
    if order is None:
        raise ValueError(f"the order of its bytes is given as {content[126:128]!r}")
    elements = _Elements(memoryview(content)[_HEADER:], order)
    choice = iter(chosen) if chosen is not None else None
    while len(elements):
        kind, variable = elements.next()
        if kind not in (_MATRIX, _COMPRESSED) or (choice is not None and not next(choice)):
            continue
        if kind == _COMPRESSED:
            variable = _decompressed(variable, order, headers)
        yield _matrix(_Elements(variable, order))


def _decompressed(content: memoryview, order: _Order, header: bool) -> memoryview:
    """The content of a compressed matrix, or its beginning."""
    stream = zlib.decompressobj()
    start = stream.decompress(content, 8)
    kind, length = struct.unpack(f"{order}II", start)
    if kind != _MATRIX or length > _MOST_BYTES:
        raise ValueError(f"a compressed element of type {kind} has {length} bytes")
    found = stream.decompress(stream.unconsumed_tail, min(length, 1024) if header else length) if length else b""
    if not header and len(found) < length:
        raise ValueError(f"a compressed element has {length} bytes, and {len(found)} are there")
    return memoryview(found)


def _matrix(elements: _Elements) -> _Matrix:
    if not len(elements):
        return _Matrix(_NUMERIC[0], 0, (0, 0), "", elements)
    flags, lengths = elements.numbers(), elements.numbers()
    name = bytes(elements.next()[1]).decode("latin-1")
    if len(flags) != 2 or not 1 <= len(lengths) <= _DEEPEST or lengths.min() < 0:
        raise ValueError(f"a matrix has {len(flags)} flags and the lengths {lengths[:8].tolist()}")
    return _Matrix(int(flags[0]) & 0xFF, int(flags[0]), tuple(lengths.tolist()), name, elements)


def _array(matrix: _Matrix, depth: int) -> np.ndarray:
    if depth > _DEEPEST:
        raise ValueError(f"there are cells in cells, more than {_DEEPEST} deep")
    count, rest = math.prod(matrix.lengths), matrix.rest
    if matrix.kind == _CELL:
        return _filled(np.dtype(object), count, rest, depth).reshape(matrix.lengths, order="F")
    if matrix.kind == _STRUCT:
        fields = np.dtype([(name, object) for name in _fields(rest)])
        return _filled(fields, count, rest, depth).reshape(matrix.lengths, order="F")
    if matrix.kind == _CHAR:
        return _strings(_text(rest) if len(rest) else "", matrix.lengths)
    if matrix.kind not in _NUMERIC or matrix.flags & _COMPLEX:
        raise ValueError(f"a matrix has the class {matrix.kind} and the flags {matrix.flags:#x}, not real numbers")
    numbers = rest.numbers() if len(rest) else np.empty(0)
    if len(numbers) != count:
        raise ValueError(f"a matrix {list(matrix.lengths)} has {len(numbers)} numbers")
    return numbers.reshape(matrix.lengths, order="F")


def _filled(kind: np.dtype, count: int, rest: _Elements, depth: int) -> np.ndarray:
    """Cells, or records whose fields are read one after the other."""
    if count * max(len(kind.names or ()), 1) > len(rest) // 8:
        raise ValueError(f"there are {count} cells or records in {len(rest)} bytes")
    values = np.empty(count, kind)
    for index in range(count):
        if kind.names is None:
            values[index] = _array(_matrix(rest.matrix()), depth + 1)
        else:
            values[index] = tuple(_array(_matrix(rest.matrix()), depth + 1) for _ in kind.names)
    return values


def _fields(rest: _Elements) -> list[str]:
    """The names of a struct's fields, each in as many bytes."""
    (size,) = rest.numbers().tolist()
    names = bytes(rest.next()[1])
    if size < 1:
        raise ValueError(f"the names of fields have {size} bytes")
    return [names[at : at + size].partition(b"\0")[0].decode("latin-1") for at in range(0, len(names), size)]


def _text(rest: _Elements) -> str:
    kind, content = rest.next()
    code = _TEXTS[kind]
    order = {"<": "-le", ">": "-be"}[rest.order] if code in ("utf-16", "utf-32") else ""
    return bytes(content).decode(code + order)


def _strings(text: str, lengths: Any) -> np.ndarray:
    """The rows of an array of characters as strings."""
    if len(text) != math.prod(lengths):
        raise ValueError(f"a text {list(lengths)} has {len(text)} characters")
    if not text:
        return np.empty(0, "<U1")
    letters = np.array(list(text)).reshape(lengths, order="F")
    rows = ["".join(row) for row in letters.reshape(-1, lengths[-1])]
    return np.array(rows).reshape(lengths[:-1])
