"""One runtime for each kind of exported file; their libraries are loaded when a file of the kind is."""

import abc
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from tqdm import tqdm

from reid_tf.errors import InputError, one_line
from reid_tf.retrieval.runtime import Arrays
from reid_tf.retrieval.threads import cores

logger = logging.getLogger(__name__)

_ONNX_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class ExportedRuntime(abc.ABC):
    """What the runtimes of exported files share.

    Args:
        dim: int. Width of the embeddings.
    """

    def __init__(self, dim: int) -> None:
        self._dim = dim

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self._dim

    @abc.abstractmethod
    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch, as `KerasRuntime.__call__`."""

    def over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches of a data set one after the other, as `KerasRuntime.over`."""
        shown = tqdm(batches.as_numpy_iterator(), "embedding", len(batches), unit="batch", disable=not verbose)
        parts = [self(batch, outputs) for batch in shown]
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}

    def folded(self) -> "ExportedRuntime":
        """Returns itself: what is exported was folded before."""
        return self


class LiteRTRuntime(ExportedRuntime):
    """Runs a TensorFlow Lite file.

    Args:
        path: Path. A `.tflite` file with named inputs and outputs.
        dim: int. Width of the embeddings.
        threads: int, or None for one a core. Of the kernels.

    Raises:
        InputError: the file is missing or is no TensorFlow Lite file.
    """

    def __init__(self, path: Path, dim: int, threads: int | None = None) -> None:
        super().__init__(dim)
        self._lock = threading.Lock()  # an interpreter serves one thread at a time
        content = _read(path)
        try:
            try:
                self._run = _signature(content, threads or cores())
            except RuntimeError as error:
                if "XNNPACK" not in str(error):
                    raise
                # It refuses some quantised files, such as one with a unit that no calibration image ever activated.
                logger.warning("XNNPACK refuses %s, which runs on plain kernels, several times slower.", path)
                self._run = _signature(content, threads or cores(), plain=True)
        except (ValueError, RuntimeError) as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{str(path)!r} is no sound TensorFlow Lite file of an encoder ({reason}).") from error
        self._types = {name: detail["dtype"] for name, detail in self._run.get_input_details().items()}

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch."""
        given = {name: np.asarray(values, self._types[name]) for name, values in inputs.items()}
        with self._lock:
            found = self._run(**given)
        return {name: found[name] for name in outputs}


class OnnxRuntime(ExportedRuntime):
    """Runs an ONNX file with ONNX Runtime.

    Args:
        path: Path. An `.onnx` file.
        dim: int. Width of the embeddings.
        threads: int, or None for one a core. Of the kernels.

    Raises:
        InputError: ONNX Runtime is not installed, or the file is missing or is no ONNX file.
    """

    def __init__(self, path: Path, dim: int, threads: int | None = None) -> None:
        super().__init__(dim)
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as state
        except ImportError as error:
            raise InputError(f"{str(path)!r} needs ONNX Runtime: pip install onnxruntime ({error}).") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        content = _read(path)
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented) as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{str(path)!r} is no sound ONNX file ({reason}).") from error
        self._types = {node.name: _ONNX_TYPES[node.type] for node in self._session.get_inputs()}

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch."""
        given = {name: np.asarray(values, self._types[name]) for name, values in inputs.items()}
        return dict(zip(outputs, self._session.run(list(outputs), given), strict=True))


class SavedModelRuntime(ExportedRuntime):
    """Runs the signatures of a SavedModel that `reid_tf.serving` wrote.

    Args:
        folder: Path. The version folder.
        dim: int. Width of the embeddings.

    Raises:
        InputError: the SavedModel is missing or broken.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        super().__init__(dim)
        self._folder = folder
        self._signatures = {"embedding": _Signature.load(folder, "embed_image")}

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch, which has the encoder's own size already."""
        return {name: self._output(name, inputs) for name in outputs}

    def _output(self, name: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        if name == "embedding":
            return self._signatures[name](inputs)[name].numpy()
        if name not in self._signatures:
            self._signatures[name] = _Signature.load(self._folder, name)
        # This signature takes files alone; PNG keeps every pixel.
        encoded = [cv2.imencode(".png", image[..., ::-1])[1].tobytes() for image in inputs["image"]]
        return self._signatures[name]({**inputs, "image": np.array(encoded, object)})[name].numpy()


class _Signature(keras.layers.TFSMLayer):
    """A signature that takes its inputs by name."""

    @classmethod
    def load(cls, folder: Path, name: str) -> "_Signature":
        try:
            return cls(str(folder), call_endpoint=name)
        except (OSError, ValueError) as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{str(folder)!r} is no sound SavedModel of an encoder ({reason}).") from error

    def call(self, inputs: Any) -> Any:
        return self.call_endpoint_fn(**inputs)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The exported file {str(path)!r} cannot be read: {error.strerror or error}.") from error


def _signature(content: bytes, threads: int, plain: bool = False) -> Any:
    """The runner of a file's only signature, after a first batch of zeros: some files fail only then."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kinds = OpResolverType
    kernels = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else kinds.AUTO
    interpreter = Interpreter(model_content=content, num_threads=threads, experimental_op_resolver_type=kernels)
    runner = interpreter.get_signature_runner()
    runner(**{name: np.zeros(detail["shape"], detail["dtype"]) for name, detail in runner.get_input_details().items()})
    return runner
