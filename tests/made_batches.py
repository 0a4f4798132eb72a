"""Every registered model at its smallest, with a batch that it can learn from; Keras' operations only."""

from typing import Any

import keras
import numpy as np

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.models.system import System
from reid_tf.registry import BACKBONES, MODELS

SIZE = (32, 16)
# The smallest backbone has four stages, one of which branches above; large defaults only cost time here.
OPTIONS: dict[str, dict[str, Any]] = {
    "cpm": {"stages": 2, "width": 4, "refinement_convolutions": 1},
    "joint_loss": {"shared_layers": 2, "grids": [[4, 4], [6, 4], [6, 4]]},
}


def build(name: str, **options: Any) -> System:
    keras.utils.set_random_seed(0)
    backbone = BACKBONES.build({"name": "tiny", "width": 4}, image_size=SIZE)
    component = {"name": name, **OPTIONS.get(name, {}), **options}
    return MODELS.build(component, backbone=backbone, num_identities=3, attribute_schema=MARKET1501_SCHEMA)


def inputs(system: System) -> dict[str, np.ndarray]:
    """Four images, or four pairs, with boxes of their body parts where the model wants them."""
    rng = np.random.default_rng(0)
    made = {}
    for key, tensor in system.model.input.items():
        if key.startswith("part_boxes"):
            corners = np.sort(rng.uniform(0, 1, (4, 3, 2, 2)), axis=2)  # left < right, top < bottom
            made[key] = corners.reshape(4, 3, 4).astype(np.float32)
        else:
            made[key] = rng.uniform(0, 255, (4, *tensor.shape[1:])).astype(np.float32)
    return made


def labels(system: System) -> dict[str, np.ndarray]:
    """Targets of a batch of four images, or four pairs, by output."""
    rng = np.random.default_rng(1)
    pairs = "image_a" in system.model.input
    binary = len(MARKET1501_SCHEMA.binary_names)
    landmarks = rng.uniform(0, 1, (4, 18, 3)).astype(np.float32)
    identity = np.array([0, 1, 0, 1])
    made = {
        "identity": np.array([[0, 1], [1, 0], [2, 2], [0, 1]]) if pairs else identity,
        "identity_a": identity,
        "identity_b": np.array([1, 0, 1, 0]),
        "verification": np.array([0, 1, 0, 1]),
        "attributes": rng.integers(0, 2, (4, len(MARKET1501_SCHEMA.groups))),
        "binary_attributes": rng.integers(-1, 2, (4, 2, binary) if pairs else (4, binary)),
        "landmarks": landmarks,
        "identity_and_pose": np.concatenate([identity[:, np.newaxis], landmarks.reshape(4, 54)], 1).astype(np.float32),
    }
    return {output: made[label] for output, label in system.targets.items()}
