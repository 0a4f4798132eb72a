"""Exported files whose input another program prescribes; here they take the grey values that all others take."""

from collections.abc import Mapping, Sequence

import numpy as np

from reid_tf.encoder.runtimes.base import Arrays, ExportedRuntime, Runtime, Shape
from reid_tf.imagenet import MEAN, STANDARD_DEVIATION

# Height and width of what each profile prescribes: the size that the field trains its encoders at.
PROFILES = {"imagenet-nchw": (256, 128)}


class PrescribedRuntime(ExportedRuntime):
    """Runs a file that takes float32 images [batch, 3, height, width], less ImageNet's mean, over its deviation.

    Args:
        runtime: `Runtime` of the file.
    """

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.identity)
        self._runtime = runtime

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The shape of each input as it is given here, its channels last."""
        shapes = self._runtime.input_shapes
        return {name: (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape for name, shape in shapes.items()}

    @property
    def output_widths(self) -> Mapping[str, int]:
        """The width of each output."""
        return self._runtime.output_widths

    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> Arrays:
        mean, deviation = np.array(MEAN, np.float32), np.array(STANDARD_DEVIATION, np.float32)
        given = {
            name: np.ascontiguousarray(((values - mean) / deviation).transpose(0, 3, 1, 2))
            for name, values in inputs.items()
        }
        return self._runtime(given, outputs)
