"""The landmark detector that this package trains itself: a convolutional pose machine."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reid_tf.datasets.joint_orders import JOINTS
from reid_tf.errors import InputError
from reid_tf.keras_file import load_keras
from reid_tf.pose.belief_maps import landmarks_of
from reid_tf.pose.detector import LandmarkDetector
from reid_tf.registry import DETECTORS

if TYPE_CHECKING:
    import keras  # in use only where a pose machine is: landmarks can come from elsewhere


@DETECTORS.register("cpm")
def cpm(*, run: str) -> LandmarkDetector:
    """Finds landmarks with a trained pose machine, where its last stage's beliefs are highest.

    It always names a place; the confidence says how sure it is of it.

    Args:
        run: str. The run directory of a model `cpm`, or a `.keras` file of one.

    Returns:
        `LandmarkDetector`.

    Raises:
        InputError: the folder or file is missing, damaged, or holds another model.
    """
    path = Path(run)
    if path.suffix != ".keras":
        path = path / "model.keras"
    if not path.is_file():
        raise InputError(f"A pose machine is a finished run or a .keras file, but there is no {str(path)!r}.")
    return _PoseMachine(path)


class _PoseMachine:
    def __init__(self, path: Path) -> None:
        model = load_keras(path)
        _check_stages(model, path)
        self._model = last_beliefs(model)
        height, width = model.input["image"].shape[1:3]
        self.image_size = (int(height), int(width))
        # By content: the same weights elsewhere are the same detector.
        self.description = {"name": "cpm", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    def __call__(self, images: np.ndarray, paths: Sequence[str]) -> np.ndarray:
        if not len(images):
            return np.zeros((0, len(JOINTS), 3), np.float32)
        return landmarks_of(self._model.predict_on_batch({"image": images}))


def last_beliefs(model: "keras.Model") -> "keras.Model":
    """Returns a pose machine that gives the belief maps of its last stage alone; the weights are shared.

    Args:
        model: keras.Model from {"image"} to {"stage1", "stage2", ...}.
    """
    import keras

    # By number: in alphabetical order stage9 comes after stage10.
    return keras.Model(model.input, model.output[f"stage{len(model.output)}"], name="last_beliefs")


def _check_stages(model: "keras.Model", path: Path) -> None:
    """Raises an `InputError` unless the model is a pose machine."""
    outputs = model.output if isinstance(model.output, dict) else {}
    stages = [f"stage{stage}" for stage in range(1, len(outputs) + 1)]
    wanted = len(JOINTS) + 1
    if not stages or set(outputs) != set(stages) or {maps.shape[-1] for maps in outputs.values()} != {wanted}:
        raise InputError(
            f"{str(path)!r} is not a pose machine, whose outputs stage1, stage2, ... have {wanted} belief maps each. "
            f"Received: the outputs {_shapes(model.output)}."
        )


def _shapes(outputs: Any) -> Any:
    if isinstance(outputs, dict):
        return {name: tuple(tensor.shape) for name, tensor in outputs.items()}
    return [tuple(tensor.shape) for tensor in (outputs if isinstance(outputs, list | tuple) else [outputs])]
