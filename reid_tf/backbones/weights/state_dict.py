"""Files of weights -> names and arrays. Reading one never runs code that the file holds."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from reid_tf.backbones.weights.torch_file import read_torch_file, with_fractions_as_float32
from reid_tf.errors import InputError, one_line
from reid_tf.files import user_path

ENVELOPE = "state_dict"  # the key under which torchreid and many others keep it, beside an optimizer's state
PREFIX = "module."  # what torch's DataParallel puts before every name


@dataclasses.dataclass(frozen=True)
class StateDict:
    """The named arrays of a file.

    Args:
        path: str. The file.
        tensors: mapping from name to array; whatever has a fraction is float32.
        unwrapped: tuple of str. What lay around the names, in words.
        layers: tuple of str. The network's layers in their order, those without weights
            too; empty where the file does not say.
    """

    path: str
    tensors: Mapping[str, np.ndarray]
    unwrapped: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


def read_state_dict(path: str | Path) -> StateDict:
    """Reads a state dict; one inside a checkpoint, and names that all begin with `module.`, are accepted.

    Args:
        path: str or Path. A `.safetensors` file, or a `.pth` or `.pt` file
            (`model.pth.tar-60` is one too), which is read without PyTorch and as
            weights only: a file that names anything but tensors and plain values is
            refused; or Caffe's `.caffemodel`, see `read_caffemodel`.

    Returns:
        `StateDict`.

    Raises:
        InputError: the file is missing, damaged, of another kind, or holds code or no
            tensors.
    """
    path = user_path(path, "give the whole path")
    if not path.is_file():
        raise InputError(f"There is no weights file {str(path)!r}.")
    if path.suffix in (".caffemodel", ".prototxt"):  # the one is often taken for the other
        from reid_tf.backbones.weights.caffe import read_caffemodel

        return read_caffemodel(path)
    if path.suffix == ".safetensors":
        loaded: Any = _load_safetensors(path)
    elif {".pth", ".pt"} & set(path.suffixes):
        loaded = read_torch_file(path)
    else:
        raise InputError(
            f"A file to convert must be a .safetensors, .pth, .pt or .caffemodel file. Received: {str(path)!r}."
        )
    unwrapped = []
    if isinstance(loaded, Mapping) and isinstance(loaded.get(ENVELOPE), Mapping):
        loaded = loaded[ENVELOPE]
        unwrapped.append(f"found under the key {ENVELOPE!r}")
    if not isinstance(loaded, Mapping):
        raise InputError(f"The file {str(path)!r} holds an object of type {type(loaded).__name__!r}, not a state dict.")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, np.ndarray)}
    if not tensors:
        keys = ", ".join(repr(name) for name in list(loaded)[:5]) or "none"
        raise InputError(f"The state dict in {str(path)!r} holds no tensors; its keys are: {keys}.")
    if all(name.startswith(PREFIX) for name in tensors):
        tensors = {name.removeprefix(PREFIX): value for name, value in tensors.items()}
        unwrapped.append(f"the names without their prefix {PREFIX!r}")
    return StateDict(str(path), tensors, tuple(unwrapped))


def _load_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, TypeError, ValueError) as error:  # TypeError: a type that NumPy lacks
        raise InputError(f"The file {str(path)!r} is damaged or not a .safetensors file ({one_line(error)}).") from None
    return {name: with_fractions_as_float32(tensor) for name, tensor in tensors.items()}
