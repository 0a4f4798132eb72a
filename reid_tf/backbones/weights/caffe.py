"""Caffe's `.caffemodel` files -> names and arrays, without Caffe: a binary protobuf, of which only weights are read."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.errors import InputError, one_line, require_package
from reid_tf.files import user_path

BLOBS = ("weight", "bias")  # what PyTorch calls the first two arrays of a layer; Caffe only numbers them
PACKAGE = "reid_tf_caffe"
LEGACY_AXES = ("num", "channels", "height", "width")
_TEXT = bytes({7, 8, 9, 10, 12, 13, 27, *range(0x20, 0x7F)})

# The fields of Caffe's caffe.proto that say where weights are: name, number, type; "*" repeats the field. A reader of
# protobufs takes numbers packed and one by one, whichever the declaration says, and passes over all other fields.
_MESSAGES: Mapping[str, tuple[tuple[str, int, str], ...]] = {
    "BlobShape": (("dim", 1, "int64*"),),
    "BlobProto": (
        *((axis, number, "int32") for number, axis in enumerate(LEGACY_AXES, start=1)),
        ("data", 5, "float*"),
        ("shape", 7, "BlobShape"),
        ("double_data", 8, "double*"),
    ),
    "V1LayerParameter": (("name", 4, "string"), ("blobs", 6, "BlobProto*")),
    "LayerParameter": (("name", 1, "string"), ("blobs", 7, "BlobProto*")),
    "NetParameter": (("name", 1, "string"), ("layers", 2, "V1LayerParameter*"), ("layer", 100, "LayerParameter*")),
}


def read_caffemodel(path: str | Path) -> StateDict:
    """Reads the weights of a Caffe network, in the layers' form of 2013 or of 2014 and later.

    Args:
        path: str or Path. A `.caffemodel` file.

    Returns:
        `StateDict`: the arrays of a layer are called `<layer>.weight`, `<layer>.bias`,
        `<layer>.2`, and so on, float32, convolutions [out, in / groups, height, width]
        and inner products [out, in].

    Raises:
        InputError: the file is missing, cut off, of another kind or holds no weights,
            an array has more or fewer numbers than its shape says, or there is no
            `protobuf`.
    """
    path = user_path(path, "give the whole path")
    require_package("google.protobuf", f"Reading {str(path)!r}", "protobuf")
    if not path.is_file():
        raise InputError(f"There is no weights file {str(path)!r}.")
    content = path.read_bytes()
    if content and not content[:1000].translate(None, _TEXT):
        raise InputError(
            f"The file {str(path)!r} is text, as the description of a network (.prototxt) is; the weights are in a "
            "binary .caffemodel file."
        )
    net = _parsed(content, path)
    layers = [*net.layers, *net.layer]
    tensors = {
        f"{layer.name}.{BLOBS[index] if index < len(BLOBS) else index}": _array(blob, layer.name, path)
        for layer in layers
        for index, blob in enumerate(layer.blobs)
    }
    if not tensors:
        raise InputError(f"The file {str(path)!r} holds no weights of Caffe's: it has {len(layers)} layers.")
    called = (f"the network calls itself {net.name!r}",) if net.name else ()
    return StateDict(str(path), tensors, called, tuple(layer.name for layer in layers))


def message_classes() -> dict[str, type]:
    """Returns the protobuf classes by Caffe's names for them: `NetParameter` is a whole file."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            field = described.field.add(name=name, number=number)
            field.label = kinds.LABEL_REPEATED if kind.endswith("*") else kinds.LABEL_OPTIONAL
            if kind.strip("*") in _MESSAGES:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{kind.strip('*')}"
            else:
                field.type = getattr(kinds, f"TYPE_{kind.strip('*').upper()}")
                field.options.packed = kind in ("int64*", "float*", "double*")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


def _parsed(content: bytes, path: Path) -> Any:
    from google.protobuf.message import DecodeError

    net: Any = message_classes()["NetParameter"]()
    try:
        net.ParseFromString(content)
    except (DecodeError, ValueError) as error:  # ValueError: a file of more bytes than a message may have
        raise InputError(
            f"The file {str(path)!r} is damaged, cut off or not a .caffemodel file ({one_line(error).rstrip('.')})."
        ) from None
    return net


def _array(blob: Any, layer: str, path: Path) -> np.ndarray:
    numbers = np.array(blob.double_data or blob.data, np.float32)
    shape = tuple(blob.shape.dim) if blob.HasField("shape") else _legacy_shape(blob)
    if any(size < 0 for size in shape) or math.prod(shape) != len(numbers):
        raise InputError(
            f"The layer {layer!r} of {str(path)!r} is damaged: its shape {shape} asks for other than "
            f"{len(numbers)} numbers."
        )
    return numbers.reshape(shape)


def _legacy_shape(blob: Any) -> tuple[int, ...]:
    """Returns the shape of an array stored with four axes, whatever it is: a bias as [1, 1, 1, out]."""
    shape = tuple(getattr(blob, axis) for axis in LEGACY_AXES)
    if shape[:2] != (1, 1):
        return shape
    return shape[3:] if shape[2] == 1 else shape[2:]
