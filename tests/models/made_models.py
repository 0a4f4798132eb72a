"""A small backbone, labels and one way to build a system on them."""

import keras
import numpy as np

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.models.system import System
from reid_tf.registry import MODELS

SIZE = (16, 8)
IDENTITIES = 5
SCHEMA = AttributeSchema(
    (AttributeGroup("hat", ("no", "yes")), AttributeGroup("colour", ("red", "blue", "multi-colour")))
)  # 3 binary targets, 5 classes


def small_backbone() -> keras.Model:
    image = keras.Input((*SIZE, 3), name="image")
    features = keras.layers.Rescaling(1 / 255)(image)
    features = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="stage1")(features)
    features = keras.layers.Conv2D(6, 3, activation="relu", name="stage2")(features)
    return keras.Model(image, features, name="small_backbone")


def build(name: str, schema: AttributeSchema | None = SCHEMA, **options) -> System:
    keras.utils.set_random_seed(1)
    return MODELS.build(
        {"name": name, **options},
        backbone=small_backbone(),
        num_identities=IDENTITIES,
        attribute_schema=schema,
    )


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, (4, *SIZE, 3)).astype(np.float32)


def part_boxes(seed: int) -> np.ndarray:
    """Three boxes for each of four images: left, top, right, bottom in [0, 1]."""
    corners = np.sort(np.random.default_rng(seed).uniform(0, 1, (4, 3, 2, 2)), axis=2)
    return corners.reshape(4, 3, 4).astype(np.float32)


def labels(system: System, seed: int = 0) -> dict[str, np.ndarray]:
    """Targets of a batch of four images, or four pairs, by output."""
    rng = np.random.default_rng(seed)
    of_pairs = (4, 2) if "image_a" in system.model.input else (4,)
    landmarks = np.random.default_rng(seed + 1).uniform(0, 1, (4, 18, 3)).astype(np.float32)
    made = {
        "identity": np.array([[0, 1], [1, 0], [2, 2], [0, 1]]) if len(of_pairs) == 2 else np.array([0, 1, 0, 1]),
        "identity_a": np.array([0, 1, 2, 0]),
        "identity_b": np.array([1, 0, 2, 1]),
        "verification": np.array([1, 1, 0, 1]),
        "attributes": rng.integers(-1, 2, (*of_pairs, 2)),
        "binary_attributes": rng.integers(-1, 2, (*of_pairs, 3)),
        "landmarks": landmarks,
        "identity_and_pose": np.concatenate([[[0], [1], [0], [1]], landmarks.reshape(4, 54)], axis=1, dtype=np.float32),
    }
    return {output: made[label] for output, label in system.targets.items()}
