"""ONNX files, run by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reid_tf.encoder.runtimes.base import Arrays, ExportedRuntime, Shape, read_export_file
from reid_tf.errors import InputError, one_line, require_package
from reid_tf.retrieval.threads import cores

# How the description of a weight begins that is in another file, which may be any file of this machine.
_ELSEWHERE = b"\n\x08location\x12"
_ONNX_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class OnnxRuntime(ExportedRuntime):
    """Runs an ONNX file with ONNX Runtime.

    Args:
        path: Path. An `.onnx` file.
        identity: str, or None. As in `Runtime`.
        threads: int, or None for one per core. Of the kernels.

    Raises:
        InputError: ONNX Runtime is not installed, or the file is missing or is not an
            ONNX file, or keeps its weights in other files.
    """

    def __init__(self, path: Path, identity: str | None = None, threads: int | None = None) -> None:
        super().__init__(identity)
        require_package("onnxruntime", repr(str(path)))
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        content = read_export_file(path)
        if _ELSEWHERE in content:
            raise InputError(f"An ONNX file must hold its weights itself, and {str(path)!r} names other files.")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented) as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{str(path)!r} is not a valid ONNX file ({reason}).") from error
        self._types = {node.name: _ONNX_TYPES[node.type] for node in self._session.get_inputs()}

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shape of each input; an open axis has a name in the file."""
        return {
            node.name: tuple(side if isinstance(side, int) else None for side in node.shape)
            for node in self._session.get_inputs()
        }

    @property
    def output_widths(self) -> Mapping[str, int]:
        """The width of each output."""
        return {node.name: node.shape[-1] for node in self._session.get_outputs()}

    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        given = {name: np.asarray(values, self._types[name]) for name, values in inputs.items()}
        return dict(zip(outputs, self._session.run(list(outputs), given), strict=True))
