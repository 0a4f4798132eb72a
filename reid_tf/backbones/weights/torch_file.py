"""Files of `torch.save`, read without PyTorch, in both of its formats.

A pickle is a program. The one in such a file is run by an unpickler that knows a
handful of names (tensors, their storages and types, parameters, ordered mappings, and
NumPy's numbers, which it passes over) and calls nothing but functions of this module:
nothing that a file names is imported. What is rebuilt is a description of each tensor;
the numbers are read afterwards, within the bounds of the file.

    1.6 and later: a zip archive of `NAME/data.pkl`, one `NAME/data/KEY` a storage, and
        `NAME/byteorder`.
    before, and `_use_new_zipfile_serialization=False`: pickles one after the other (a
        magic number, the protocol, the writer's machine, the object, the storages'
        keys), then every storage: its count as int64, its numbers, little-endian.
"""

import os
import pickle
import pickletools
import struct
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from reid_tf.errors import InputError, one_line

ZIP = b"PK\x03\x04"
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
DEPTH = 2  # mappings in which tensors are looked for: a checkpoint, and the state dict in it

DTYPES: Mapping[str, np.dtype] = {
    **{
        name: np.dtype(name)
        for name in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool")
    },
    **{name: np.dtype(name) for name in ("float16", "float32", "float64", "complex64", "complex128")},
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "float8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
}
UNTYPED = "untyped"  # bytes; the tensor says what they are
STORAGES = {
    "BFloat16Storage": "bfloat16",
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ShortStorage": "int16",
}

# What pickle, zipfile and NumPy raise for a file that is cut off, forged or of another kind.
_DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)


class Storage(NamedTuple):
    """A piece of a file that tensors look into.

    Args:
        key: str. Its name in the file.
        dtype: str. A name of `DTYPES`, or `UNTYPED`.
        size: int. Its elements; bytes where it is untyped.
        start: int. Where it begins in the piece, for the views of PyTorch's first
            versions.
    """

    key: str
    dtype: str
    size: int
    start: int = 0


class Tensor(NamedTuple):
    """What a file says of a tensor; offset and strides count elements.

    Args:
        storage: `Storage`.
        offset: int. Of the first element.
        shape: ints.
        strides: ints, one per axis.
        dtype: str or None. A name of `DTYPES`; None for the storage's.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str | None = None


def read_torch_file(path: str | Path) -> Any:
    """Reads what `torch.save` wrote, without PyTorch and without running anything.

    Args:
        path: str or Path.

    Returns:
        The object: mappings, sequences and plain values. Tensors of the outermost
        mapping, and of those directly in it, are read-only arrays, float32 where they
        have fractions; tensors further inside, such as an optimizer's, stay `Tensor`s.
        NumPy's numbers are passed over.

    Raises:
        InputError: the file is damaged, not of `torch.save`, a TorchScript archive, or
            names something else than tensors and plain values.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            read = _read_zip if file.read(len(ZIP)) == ZIP else _read_stream
            return read(path, file)
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(
            f"The file {str(path)!r} is damaged or not a state dict ({type(error).__name__}: {one_line(error)})."
        ) from None


def with_fractions_as_float32(array: np.ndarray) -> np.ndarray:
    """Returns integers, truth values and complex numbers as they are, whatever else as float32."""
    # The types of ml_dtypes, such as bfloat16, are of no kind of NumPy's own.
    return array if array.dtype.kind in "biuc" else array.astype(np.float32, copy=False)


def _read_zip(path: Path, file: BinaryIO) -> Any:
    archive = zipfile.ZipFile(file)
    members = {member.filename: member for member in archive.infolist()}
    names = [name.partition("/") for name in members]
    roots = [root for root, _, rest in names if rest == "data.pkl"]
    if any(rest == "constants.pkl" for *_, rest in names):
        raise InputError(
            f"The file {str(path)!r} is a TorchScript archive, a program with its weights; save the weights alone: "
            "torch.save(module.state_dict(), path)."
        )
    if len(roots) != 1:
        raise ValueError(f"a zip archive with {len(roots)} members data.pkl instead of one")
    # PyTorch stores its members as they are. One that would unpack to more than the file holds is no work of its.
    packed = [name for name, member in members.items() if member.compress_type != zipfile.ZIP_STORED]
    if packed or sum(member.file_size for member in archive.infolist()) > os.fstat(file.fileno()).st_size:
        raise ValueError(f"members that are compressed or overlap, for example {(packed or list(members))[0]!r}")

    def member(name: str) -> bytes:
        return archive.read(members[f"{roots[0]}/{name}"])

    order = member("byteorder").decode() if f"{roots[0]}/byteorder" in members else "little"
    if order not in ("little", "big"):
        raise ValueError(f"byte order {order!r}")
    with archive.open(members[f"{roots[0]}/data.pkl"]) as pickled:
        contents = _Unpickler(path, pickled).load_checked()
    return _with_arrays(contents, _Storages(lambda storage: member(f"data/{storage.key}"), order))


def _read_stream(path: Path, file: BinaryIO) -> Any:
    file.seek(0)
    found = [_Unpickler(path, file).load_checked() for _ in range(2)]
    if found != [MAGIC_NUMBER, PROTOCOL]:
        raise ValueError(f"it begins with {found!r:.100}, a file of torch.save with {MAGIC_NUMBER} and {PROTOCOL}")
    _Unpickler(path, file).load_checked()  # the writer's machine; the numbers are little-endian whatever it was
    unpickler = _Unpickler(path, file)
    contents = unpickler.load_checked()
    keys = _Unpickler(path, file).load_checked()
    position, size, places = file.tell(), os.fstat(file.fileno()).st_size, {}
    for key in keys:
        file.seek(position)
        (count,) = struct.unpack("<q", file.read(8))
        places[key] = (position + 8, count * unpickler.item_sizes[key])
        position += 8 + places[key][1]
        if count < 0 or position > size:
            raise EOFError(f"the storage {key!r} of {count} elements ends outside the file")

    def piece(storage: Storage) -> bytes:
        place, length = places[storage.key]
        file.seek(place)
        return file.read(length)

    return _with_arrays(contents, _Storages(piece, "little"))


class _Storages:
    """The numbers of a file, each piece read once; a tensor is a view, so that none takes more memory than its piece.

    Args:
        piece: function from a `Storage` to the bytes of its piece.
        order: "little" or "big". Of the bytes.
    """

    def __init__(self, piece: Callable[[Storage], bytes], order: str) -> None:
        self._piece = piece
        self._order = order
        self._flat: dict[tuple[str, str], np.ndarray] = {}

    def array(self, tensor: Tensor) -> np.ndarray:
        """Returns a tensor's numbers as a view of its storage's, or raises `ValueError` where it would leave it."""
        storage, offset, shape, strides, dtype = tensor
        flat = self._elements(storage, dtype or storage.dtype)
        count = storage.size if storage.dtype != UNTYPED else len(flat)
        numbers = (storage.start, count, offset, *shape, *strides)
        what = f"a tensor of shape {shape}, strides {strides} and offset {offset}"
        if len(shape) != len(strides) or any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError(what)
        if 0 in shape:
            return np.zeros(shape, flat.dtype)
        inside = flat[storage.start : storage.start + count]
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if len(inside) < count or last >= count:
            raise ValueError(f"{what} leaves its storage of {count} elements")
        steps = [stride * flat.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(inside[offset:], shape, steps, writeable=False)

    def _elements(self, storage: Storage, dtype: str) -> np.ndarray:
        key = (storage.key, dtype)
        if key not in self._flat:
            kind = DTYPES[dtype]
            raw = np.frombuffer(self._piece(storage), np.uint8)
            if self._order != sys.byteorder:
                parts = 2 if kind.kind == "c" else 1  # each half of a complex number by itself
                raw = raw.reshape(-1, kind.itemsize // parts)[:, ::-1].reshape(-1)
            self._flat[key] = with_fractions_as_float32(raw.view(kind))
        return self._flat[key]


def _with_arrays(contents: Any, storages: _Storages, depth: int = DEPTH) -> Any:
    if isinstance(contents, Tensor):
        return storages.array(contents)
    if isinstance(contents, Mapping) and depth:
        return {key: _with_arrays(value, storages, depth - 1) for key, value in contents.items()}
    return contents


class _Known:
    """What stands for a function that a file names: it can be called, and not be changed by a BUILD instruction."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(f"a function is given a state of type {type(state).__name__!r}")


class _Names(dict):
    """An ordered mapping, or a parameter's state; the attributes that torch hangs on it (`_metadata`) are left out."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        del state


class _Ignored:
    """Stands for a NumPy number in a checkpoint, such as the accuracy that torchreid writes beside the weights."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        del state


def _tensor(
    storage: Storage,
    offset: int,
    shape: Iterable[int],
    strides: Iterable[int],
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    return _typed_tensor(storage, offset, shape, strides, requires_grad, hooks, None, metadata)


def _typed_tensor(
    storage: Storage,
    offset: int,
    shape: Iterable[int],
    strides: Iterable[int],
    requires_grad: bool,
    hooks: Any,
    dtype: str | None,
    metadata: Any = None,
) -> Tensor:
    del requires_grad, hooks
    if not isinstance(storage, Storage) or metadata:  # metadata: conjugated or negated when it is looked at
        raise pickle.UnpicklingError(f"a tensor of {storage!r} with the metadata {metadata!r}")
    return Tensor(storage, offset, tuple(shape), tuple(strides), dtype)


def _parameter(tensor: Tensor, requires_grad: bool, hooks: Any, state: Any = None) -> Tensor:
    del requires_grad, hooks, state
    return tensor


def _ignore(*arguments: Any) -> _Ignored:
    del arguments
    return _Ignored()


# A storage's or a tensor's type is a plain str here.
_KNOWN: Mapping[tuple[str, str], Any] = {
    **{("torch", storage): dtype for storage, dtype in STORAGES.items()},
    **{("torch", dtype): dtype for dtype in DTYPES},
    ("torch.storage", "UntypedStorage"): UNTYPED,
    ("torch", "Size"): _Known(tuple),
    ("torch._utils", "_rebuild_tensor"): _Known(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Known(_tensor),
    ("torch._utils", "_rebuild_tensor_v3"): _Known(_typed_tensor),
    ("torch._utils", "_rebuild_parameter"): _Known(_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): _Known(_parameter),
    ("collections", "OrderedDict"): _Known(_Names),
    ("numpy", "dtype"): _Known(_ignore),
    ("numpy.core.multiarray", "scalar"): _Known(_ignore),
    ("numpy._core.multiarray", "scalar"): _Known(_ignore),
    ("_codecs", "encode"): _Known(_ignore),  # how protocol 2 writes the bytes of a NumPy number
}


class _Unpickler(pickle.Unpickler):
    """Knows tensors and plain values, and keeps the sizes of the elements of each storage that it met.

    Args:
        path: Path. For the error messages.
        file: binary file, at the beginning of the pickle; left at its end.
    """

    def __init__(self, path: Path, file: Any) -> None:
        super().__init__(file, encoding="utf-8")
        self._path = path
        self._file = file
        self.item_sizes: dict[str, int] = {}

    def load_checked(self) -> Any:
        """Unpickles; a number for a remembered object that no writer would give is refused before.

        `pickle` makes room for all remembered objects up to the largest number, so a
        file of a few bytes could fill the memory.
        """
        start = self._file.tell()
        instructions = [(code.name, argument) for code, argument, _ in pickletools.genops(self._file)]
        largest = max((int(argument or 0) for name, argument in instructions if name.endswith("PUT")), default=0)
        if largest > len(instructions):
            raise pickle.UnpicklingError(f"object number {largest} among {len(instructions)} instructions")
        self._file.seek(start)
        return self.load()

    def find_class(self, module: str, name: str) -> Any:
        """Returns what a name of the file stands for, or raises `InputError`; imports nothing."""
        if (module, name) not in _KNOWN:
            raise InputError(
                f"The file {str(self._path)!r} holds more than weights: it names {f'{module}.{name}'!r}, which is "
                "neither a tensor nor a plain value and is not run; save the state dict alone: "
                "torch.save(model.state_dict(), path)."
            )
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        """Returns the description of a storage."""
        match pid:
            case ("storage", str(dtype), str(key), _, int(count)):
                storage = Storage(key, dtype, count)
            case ("storage", str(dtype), str(key), _, int(count), None):
                storage = Storage(key, dtype, count)
            case ("storage", str(dtype), str(key), _, int(_), (_, int(start), int(count))):
                storage = Storage(key, dtype, count, start)
            case _:
                raise pickle.UnpicklingError(f"something outside the pickle that is no storage: {pid!r:.100}")
        size = 1 if dtype == UNTYPED else DTYPES[dtype].itemsize
        if self.item_sizes.setdefault(key, size) != size:
            raise pickle.UnpicklingError(f"the storage {key!r} has elements of two sizes")
        return storage
