"""TensorFlow Lite files, run by LiteRT."""

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.encoder.runtimes.base import Arrays, ExportedRuntime, Shape, read_export_file
from reid_tf.errors import InputError, one_line, require_package
from reid_tf.retrieval.threads import cores

logger = logging.getLogger(__name__)


class LiteRTRuntime(ExportedRuntime):
    """Runs a TensorFlow Lite file.

    Args:
        path: Path. A `.tflite` file with named inputs and outputs.
        identity: str, or None. As in `Runtime`.
        threads: int, or None for one per core. Of the kernels.

    Raises:
        InputError: the file is missing or is not a TensorFlow Lite file.
    """

    def __init__(self, path: Path, identity: str | None = None, threads: int | None = None) -> None:
        super().__init__(identity)
        require_package("ai-edge-litert", repr(str(path)))
        self._lock = threading.Lock()  # an interpreter serves one thread at a time
        content = read_export_file(path)
        try:
            try:
                self._run_signature = _signature(content, threads or cores())
            except RuntimeError as error:
                if "XNNPACK" not in str(error):
                    raise
                # It refuses some quantised files, such as one with a unit that no calibration image ever activated.
                logger.warning("XNNPACK refuses %s, which runs on plain kernels, several times slower.", path)
                self._run_signature = _signature(content, threads or cores(), plain=True)
        except (ValueError, RuntimeError) as error:
            reason = one_line(error).rstrip(".")
            raise InputError(f"{str(path)!r} is not a valid TensorFlow Lite file of an encoder ({reason}).") from error
        self._types = {name: detail["dtype"] for name, detail in self._run_signature.get_input_details().items()}

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shape of each input; the batch is open."""
        details = self._run_signature.get_input_details()
        return {name: (None, *map(int, detail["shape"][1:])) for name, detail in details.items()}

    @property
    def output_widths(self) -> Mapping[str, int]:
        """The width of each output."""
        details = self._run_signature.get_output_details()
        return {name: int(detail["shape"][-1]) for name, detail in details.items()}

    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        given = {name: np.asarray(values, self._types[name]) for name, values in inputs.items()}
        with self._lock:
            found = self._run_signature(**given)
        return {name: found[name] for name in outputs}


def _signature(content: bytes, threads: int, plain: bool = False) -> Any:
    """The runner of a file's only signature, after a first batch of zeros: some files fail only then."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kinds = OpResolverType
    kernels = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else kinds.AUTO
    interpreter = Interpreter(model_content=content, num_threads=threads, experimental_op_resolver_type=kernels)
    runner = interpreter.get_signature_runner()
    runner(**{name: np.zeros(detail["shape"], detail["dtype"]) for name, detail in runner.get_input_details().items()})
    return runner
