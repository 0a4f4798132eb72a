"""What an encoder asks of the thing that its pixels go through."""

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError
from reid_tf.progress import is_watched, progress_bar

Arrays = dict[str, np.ndarray]


class Runtime(abc.ABC):
    """Runs a network on named arrays; `dim` is the width of its output "embedding"."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Width of the embeddings."""

    @abc.abstractmethod
    def __call__(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        """Runs one batch.

        Args:
            inputs: mapping from input name to array [batch, ...].
            outputs: sequence of str. The outputs wanted.

        Returns:
            dict from output to float32 [batch, ...].
        """

    @abc.abstractmethod
    def over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches of a data set.

        Args:
            batches: tf.data.Dataset of dict from input name to tensor, or
                `PlainBatches`.
            outputs: sequence of str. The outputs wanted.
            verbose: int. 1 shows a progress bar, 0 nothing.

        Returns:
            dict from output to float32 [N, ...].
        """

    @abc.abstractmethod
    def folded(self) -> "Runtime":
        """Returns a copy that is as fast as it can be and no longer trains."""


class ExportedRuntime(Runtime):
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
        """Runs one batch."""

    def over(self, batches: Any, outputs: Sequence[str], verbose: int) -> Arrays:
        """Runs the batches of a data set one after the other."""
        shown = progress_bar(
            batches.as_numpy_iterator(),
            what="embedding",
            unit="batch",
            total=len(batches),
            shown=bool(verbose) and is_watched(),  # the caller has said how many images there are
        )
        parts = [self(batch, outputs) for batch in shown]
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}

    def folded(self) -> "ExportedRuntime":
        """Returns itself: what is exported was folded before."""
        return self


def read_export_file(path: Path) -> bytes:
    """Returns the content of an exported file; one that cannot be read raises `InputError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The exported file {str(path)!r} cannot be read: {error.strerror or error}.") from error
