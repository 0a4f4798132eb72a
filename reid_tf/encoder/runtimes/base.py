"""What an encoder asks of the thing that its pixels go through."""

import abc
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError
from reid_tf.progress import is_watched, progress_bar

Arrays = dict[str, np.ndarray]
Shape = tuple[int | None, ...]


class Runtime(abc.ABC):
    """Runs a network on named arrays, in the process that made it.

    Args:
        identity: str, or None where it is not known. A hash of the network that was
            trained, see `Fingerprint.weights`.
        flips: bool. Whether its outputs are means over an image and its mirror image
            already.
    """

    def __init__(self, identity: str | None = None, flips: bool = False) -> None:
        self._identity, self.flips = identity, flips
        self._process = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _process=os.getpid())  # what was unpickled was made anew

    @property
    def identity(self) -> str | None:
        """A hash of the network that was trained, or None where it is not known."""
        return self._identity

    @property
    @abc.abstractmethod
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shape of each input, its batch included; None where an axis is open."""

    @property
    @abc.abstractmethod
    def output_widths(self) -> Mapping[str, int]:
        """The width of each output."""

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self.output_widths["embedding"]

    def check_process(self) -> None:
        """Raises an `InputError` in a process that was forked from the one that made the model, where it would hang."""
        if os.getpid() != self._process:
            raise InputError(
                "An encoder works in the process that loaded it, as a fork does not copy the threads of its library: "
                "start the other process by the method 'spawn' and load the encoder in it. Received: a call in process "
                f"{os.getpid()} of an encoder of process {self._process}."
            )

    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch.

        Args:
            inputs: mapping from input name to array [batch, ...].
            outputs: sequence of str. The outputs wanted.

        Returns:
            dict from output to float32 [batch, ...].

        Raises:
            InputError: the process is another one than that of the model.
        """
        self.check_process()
        return self._run(inputs, outputs)

    def over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches of a data set.

        Args:
            batches: tf.data.Dataset of dict from input name to tensor, or
                `PlainBatches`.
            outputs: sequence of str. The outputs wanted.
            verbose: int. 1 shows a progress bar, 0 nothing.

        Returns:
            dict from output to float32 [N, ...].

        Raises:
            InputError: the process is another one than that of the model.
        """
        self.check_process()
        return self._run_over(batches, outputs, verbose)

    @abc.abstractmethod
    def folded(self) -> "Runtime":
        """Returns a copy that is as fast as it can be and no longer trains."""

    @abc.abstractmethod
    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays: ...

    @abc.abstractmethod
    def _run_over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays: ...


class ExportedRuntime(Runtime):
    """What the runtimes of exported files share."""

    def folded(self) -> "ExportedRuntime":
        """Returns itself: what is exported was folded before."""
        return self

    def _run_over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches one after the other."""
        shown = progress_bar(
            batches.as_numpy_iterator(),
            what="embedding",
            unit="batch",
            total=len(batches),
            shown=bool(verbose) and is_watched(),  # the caller has said how many images there are
        )
        parts = [self._run(batch, outputs) for batch in shown]
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}


def read_export_file(path: Path) -> bytes:
    """Returns the content of an exported file; one that cannot be read raises `InputError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The exported file {str(path)!r} cannot be read: {error.strerror or error}.") from error
