"""What comes back from a server for many images, put together again."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reid_tf.serving.rest import ServerError


@dataclasses.dataclass
class Answers:
    """The rows of all images; those of refused images are NaN, or False.

    Args:
        count: int. The images that are asked about.
        outputs: mapping from output to an array [count, ...]. Empty where nothing came
            back.
        refused: mapping from position to the reason.
    """

    count: int
    outputs: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    refused: dict[int, str] = dataclasses.field(default_factory=dict)

    def add(self, positions: Sequence[int], values: Mapping[str, Any]) -> None:
        """Enters the rows of some positions.

        Args:
            positions: sequence of int. Those that the values are of.
            values: mapping from output to nested lists [len(positions), ...]; "error"
                has the reason for each position, "" where it is not refused.

        Raises:
            ServerError: there are more or fewer rows, or they are wider or narrower
                than those before.
        """
        for name, nested in values.items():
            try:
                rows = np.asarray(nested)
            except ValueError as error:  # rows of different widths
                raise ServerError(f"The server's {name!r} is not an array: {error}.") from error
            column = self.outputs.get(name)
            wanted = (len(positions), *(rows if column is None else column).shape[1:])
            if rows.shape != wanted:
                raise ServerError(
                    f"The server's {name!r} must have shape {list(wanted)}. Received: {list(rows.shape)}."
                )
            if name == "error":
                self.refused.update((place, text) for place, text in zip(positions, nested, strict=True) if text)
                continue
            if column is None:
                column = self.outputs[name] = _blank(self.count, rows.shape[1:], rows.dtype == bool)
            column[list(positions)] = rows

    def add_blank(self, signature: Mapping[str, Any]) -> None:
        """Makes the outputs of what nothing came back for.

        Args:
            signature: mapping with the "outputs" of a signature, as a server's metadata
                describes them.
        """
        for name, output in signature["outputs"].items():
            if name != "error":
                width = [int(side["size"]) for side in output["tensor_shape"]["dim"][1:]]
                self.outputs[name] = _blank(self.count, width, output["dtype"] == "DT_BOOL")


def _blank(count: int, width: Sequence[int], decisions: bool) -> np.ndarray:
    return np.zeros((count, *width), bool) if decisions else np.full((count, *width), np.nan, np.float32)
