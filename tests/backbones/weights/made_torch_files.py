"""Files as `torch.save` writes them, made without PyTorch and, where a test wants it, wrong.

A pickle is put together from its instructions, because what it names is not there to be
pickled.
"""

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reid_tf.backbones.weights.torch_file import MAGIC_NUMBER, PROTOCOL, STORAGES

CLASSES = {dtype: name for name, dtype in STORAGES.items()}


def value(plain) -> bytes:
    """Instructions that leave a plain value: without the protocol before and the end after them."""
    return pickle.dumps(plain, 2)[2:-1]


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def together(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + together(*arguments) + b"R"


def mapping(entries: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(value(key) + entry for key, entry in entries.items()) + b"u"


def whole(instructions: bytes) -> bytes:
    return b"\x80\x02" + instructions + b"."


def tensor(
    key: str, array: np.ndarray, *, count=None, offset=0, shape=None, strides=None, view=None, old=False
) -> bytes:
    """A tensor on the storage `key`, which is all of `array` unless something else is said."""
    kind = named("torch", CLASSES[array.dtype.name])
    parts = [value("storage"), kind, value(key), value("cpu"), value(array.size if count is None else count)]
    storage = together(*parts, *([value(view)] if old else [])) + b"Q"
    shape = array.shape if shape is None else shape
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    hooks = called(named("collections", "OrderedDict"))
    numbers = (value(offset), value(shape), value(strides), value(False))
    return called(named("torch._utils", "_rebuild_tensor_v2"), storage, *numbers, hooks)


def write_zip(path: Path, contents: bytes, storages: Mapping[str, np.ndarray], order="little", more=None) -> Path:
    """The format of 1.6 and later; `contents` are instructions."""
    members = {"archive/data.pkl": whole(contents), "archive/byteorder": order.encode()}
    for key, array in storages.items():
        members[f"archive/data/{key}"] = array.astype(
            array.dtype.newbyteorder("<" if order == "little" else ">")
        ).tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | (more or {})).items():
            archive.writestr(name, content)
    return path


def write_old(path: Path, contents: bytes, storages: Mapping[str, np.ndarray], counts: Mapping[str, int] | None = None):
    """The format before; `counts` are written instead of the true ones."""
    heads = [pickle.dumps(head, 2) for head in (MAGIC_NUMBER, PROTOCOL, {"little_endian": True})]
    keys = pickle.dumps(list(storages), 2)
    counts = {key: array.size for key, array in storages.items()} | dict(counts or {})
    numbers = [struct.pack("<q", counts[key]) + array.tobytes() for key, array in storages.items()]
    path.write_bytes(b"".join([*heads, whole(contents), keys, *numbers]))
    return path


def write_state_dict(path: Path, tensors: Mapping[str, np.ndarray], *, old=False) -> Path:
    """A whole state dict, a storage a tensor."""
    storages = {str(index): array for index, array in enumerate(tensors.values())}
    entries = {name: tensor(key, array, old=old) for (name, array), key in zip(tensors.items(), storages, strict=True)}
    return (write_old if old else write_zip)(path, mapping(entries), storages)
