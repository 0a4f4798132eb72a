"""Files of weights -> names and arrays. Reading one never runs code that the file holds."""

import dataclasses
import pickle
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes  # enters bfloat16, which .safetensors files may hold, into NumPy's types  # noqa: F401
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from reid_tf.errors import InputError, one_line

ENVELOPE = "state_dict"  # the key under which torchreid and many others keep it, beside an optimizer's state
PREFIX = "module."  # what torch's DataParallel puts before every name

# What torch.load raises for a file that is cut off or of another kind, beside UnpicklingError.
_TORCH_ERRORS = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


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
            (`model.pth.tar-60` is one too), which needs PyTorch and is read as weights
            only: a file with objects other than tensors and plain values is refused; or
            Caffe's `.caffemodel`, see `read_caffemodel`.

    Returns:
        `StateDict`.

    Raises:
        InputError: the file is missing, damaged, of another kind, holds code or no
            tensors, or needs PyTorch and there is none.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"There is no weights file {str(path)!r}.")
    if path.suffix in (".caffemodel", ".prototxt"):  # the one is often taken for the other
        from reid_tf.backbones.weights.caffe import read_caffemodel

        return read_caffemodel(path)
    if path.suffix == ".safetensors":
        loaded: Any = _load_safetensors(path)
    elif {".pth", ".pt"} & set(path.suffixes):
        loaded = _load_torch(path)
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
    return {name: _with_fractions_as_float32(tensor) for name, tensor in tensors.items()}


def _load_torch(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        raise InputError(
            f"Reading {str(path)!r} needs PyTorch: pip install -e '.[torch]', or give the weights as .safetensors."
        ) from None
    try:
        with torch.serialization.safe_globals(
            [
                (_Ignored, "numpy.core.multiarray.scalar"),
                (_Ignored, "numpy._core.multiarray.scalar"),
                (_Ignored, "numpy.dtype"),
            ]
        ):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        return _to_arrays(loaded, torch.is_tensor)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f"Python objects ({found[1]})" if found else "something other than tensors"
        raise InputError(
            f"The file {str(path)!r} holds {what}, which torch refuses to read because they may run code; "
            "save the state dict alone: torch.save(model.state_dict(), path)."
        ) from None
    except _TORCH_ERRORS as error:
        raise InputError(
            f"The file {str(path)!r} is damaged or not a state dict ({type(error).__name__}: {one_line(error)})."
        ) from None


class _Ignored:
    """Stands for a NumPy number in a checkpoint, such as the accuracy that torchreid writes beside the weights."""

    def __init__(self, *arguments: Any) -> None:
        del arguments

    def __setstate__(self, state: Any) -> None:
        del state


def _to_arrays(loaded: Any, is_tensor: Callable[[Any], bool]) -> Any:
    """Replaces the tensors in nested mappings by arrays."""
    if isinstance(loaded, Mapping):
        return {key: _to_arrays(value, is_tensor) for key, value in loaded.items()}
    if is_tensor(loaded):
        loaded = loaded.detach()
        return loaded.float().numpy() if loaded.is_floating_point() else loaded.numpy()
    return loaded


def _with_fractions_as_float32(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.kind in "biuc" else array.astype(np.float32)  # bfloat16 is of no kind of NumPy's own
