"""MoveNet, a small pose estimator in a TensorFlow Lite file."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.joint_orders import COCO_17, in_coco_18, inside_the_image
from reid_tf.errors import InputError
from reid_tf.options import Count
from reid_tf.pose.detector import LandmarkDetector
from reid_tf.registry import DETECTORS

_OUTPUT_SHAPE = (1, 1, 17, 3)


@DETECTORS.register("movenet")
def movenet(*, model_file: str, interpreters: Count | None = None) -> LandmarkDetector:
    """Finds landmarks with a single-pose MoveNet (Lightning or Thunder).

    Crops of persons are about twice as high as wide: they are resized to that and lie
    in the middle of the network's square input, black on both sides. The neck is the
    middle of the shoulders.

    Args:
        model_file: str. The `.tflite` file, from the model's own page; it is not part
            of this package.
        interpreters: int >= 1, or None for one per core. How many images are looked at
            side by side.

    Returns:
        `LandmarkDetector`.

    Raises:
        InputError: the file is missing, is not a TensorFlow Lite file or holds another
            model, or interpreters is below 1.
    """
    if interpreters is not None and interpreters < 1:
        raise InputError(f"interpreters must be at least 1. Received: interpreters={interpreters}.")
    return _MoveNet(Path(model_file), interpreters or os.cpu_count() or 1)


class _MoveNet:
    def __init__(self, path: Path, interpreters: int) -> None:
        content = _read(path)
        # An interpreter serves one thread at a time.
        self._interpreters = [_interpreter(content, path) for _ in range(interpreters)]
        self._pool = ThreadPoolExecutor(interpreters)
        self._side = _side(self._interpreters[0], path)
        self.image_size = (self._side, self._side // 2)
        # By content: the same file elsewhere is the same detector.
        self.description = {"name": "movenet", "sha256": hashlib.sha256(content).hexdigest()}

    def __call__(self, images: np.ndarray, paths: Sequence[str]) -> np.ndarray:
        shares = np.array_split(images, len(self._interpreters))
        points = np.concatenate(list(self._pool.map(self._detect, self._interpreters, shares)))  # y, x, score
        width = self.image_size[1]
        x = (points[..., 1] * self._side - (self._side - width) / 2) / width
        return inside_the_image(in_coco_18(np.stack([x, points[..., 0], points[..., 2]], axis=-1), COCO_17))

    def _detect(self, interpreter: Any, images: np.ndarray) -> np.ndarray:
        (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
        square = np.zeros((1, self._side, self._side, 3), given["dtype"])
        left = (self._side - self.image_size[1]) // 2
        points = np.empty((len(images), *_OUTPUT_SHAPE[2:]), np.float32)
        for position, image in enumerate(images):
            square[0, :, left : left + self.image_size[1]] = image
            interpreter.set_tensor(given["index"], square)
            interpreter.invoke()
            points[position] = interpreter.get_tensor(wanted["index"])[0, 0]
        return points


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The MoveNet file {str(path)!r} cannot be read: {error.strerror or error}.") from error


def _interpreter(content: bytes, path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter  # a large library, loaded where a TensorFlow Lite file is

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{str(path)!r} is not a TensorFlow Lite file: it begins with {content[:16]!r} ({reason})."
        ) from error
    return interpreter


def _side(interpreter: Any, path: Path) -> int:
    """Returns the height and width of the square input, if the model takes and gives what MoveNet does."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = [tuple(map(int, detail["shape"])) for detail in (*inputs, *outputs)]
    side = shapes[0][1] if len(shapes[0]) == 4 else 0
    if shapes != [(1, side, side, 3), _OUTPUT_SHAPE]:
        raise InputError(
            f"{str(path)!r} is not a single-pose MoveNet, which turns [1, side, side, 3] into {list(_OUTPUT_SHAPE)}. "
            f"Received: {_shapes(inputs)} into {_shapes(outputs)}."
        )
    return side


def _shapes(details: Sequence[dict[str, Any]]) -> str:
    return " and ".join(str(detail["shape"].tolist()) for detail in details)
