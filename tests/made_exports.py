"""Finished runs with a data set on disk, small enough to be exported in a test."""

from pathlib import Path

import cv2
import keras
import numpy as np

from reid_tf.config import parse_config, save_config
from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.encoder.encoder import Encoder
from reid_tf.files import write_json
from reid_tf.retrieval.calibration import CALIBRATION_FILE, Calibration
from tests.made_batches import SIZE, build

CALIBRATION = Calibration("cosine", threshold=0.125, false_accept_rate=0.01, slope=30.0, intercept=1.5)


def scatter(model: keras.Model, seed: int, spread: float = 0.05) -> keras.Model:
    """Gives every weight another value, so that nothing is zero or one by chance."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables + model.non_trainable_variables:
        if weight.dtype == "float32":
            weight.assign(weight.numpy() * rng.uniform(0.7, 1.3, weight.shape) + spread * rng.normal(size=weight.shape))
    return model


def attribute_encoder(**options) -> Encoder:
    """An encoder of the multi-task network that predicts attributes."""
    system = build("multitask", outputs=["identity_a", "verification", "attributes"], embedding_dim=6)
    coding = AttributeCoding(MARKET1501_SCHEMA, "binary")
    return Encoder(scatter(system.encoder, 0), system.inputs, SIZE, attributes=coding, **options)


def pose_encoder(**options) -> Encoder:
    """An encoder that looks at body parts too."""
    system = build("joint_loss", global_dim=4, part_dims=[4, 4, 4])
    return Encoder(scatter(system.encoder, 1), system.inputs, SIZE, system.distance, **options)


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    """Smooth pictures of several sizes, RGB, the first of the size that the encoders take."""
    rng = np.random.default_rng(seed)
    sizes = [SIZE, *((int(rng.integers(20, 80)), int(rng.integers(10, 40))) for _ in range(count - 1))]
    coarse = rng.integers(0, 256, (count, 5, 3, 3), np.uint8)
    return [cv2.resize(one, size[::-1], interpolation=cv2.INTER_CUBIC) for one, size in zip(coarse, sizes, strict=True)]


def write_data(folder: Path) -> Path:
    """Writes six people to learn from and eight to be found, four images each under two cameras: a table of them.

    The images of a person look much alike, but not so much that all are found.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["path,identity,camera,split"]
    for identity, picture in enumerate(pictures(14)):
        for index in range(4):
            noisy = np.clip(picture + rng.normal(0, 60, picture.shape), 0, 255).astype(np.uint8)
            name = f"{identity}_{index}.{'png' if index else 'jpg'}"
            cv2.imwrite(str(folder / name), noisy)
            split = "train" if identity < 6 else "gallery" if index else "query"
            rows.append(f"{name},{identity},{index % 2},{split}")
    (folder / "records.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_run(folder: Path, encoder: Encoder, data: Path, precision: str = "float32") -> Path:
    """Writes what an export reads of a finished run."""
    folder.mkdir(parents=True)
    encoder.model.save(folder / "encoder.keras")
    write_json(folder / "manifest.json", {"encoder": encoder.describe()})
    config = {
        "dataset": {"name": "csv_table", "root": str(data)},
        "image_size": list(SIZE),
        "batches": {"name": "images", "batch_size": 2},
        "backbone": {"name": "tiny", "width": 4},
        "model": {"name": "baseline"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "schedule": {"name": "step", "boundaries": [1]},
        "epochs": 1,
        "precision": precision,
    }
    save_config(parse_config(config), folder / "config.yaml")
    if encoder.calibration:
        encoder.calibration.save(folder / CALIBRATION_FILE)
    return folder
