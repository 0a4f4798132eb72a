"""Run directories whose encoder is written by hand, so that what it answers is known."""

from pathlib import Path

import cv2
import keras
import numpy as np

from reid_tf.config import parse_config, save_config
from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.encoder.encoder import Encoder
from reid_tf.files import write_json

SCHEMA = AttributeSchema(
    (AttributeGroup("bright", ("no", "yes")), AttributeGroup("colour", ("blue", "green", "red")))
)  # in sorted order, as a CSV table makes it
IMAGE_SIZE = (16, 8)


def colour_encoder() -> Encoder:
    """An encoder whose embedding is the mean red, green and blue, and whose attributes follow from them.

    The colour is the largest of the three, and an image is bright when their sum is above 300.
    """
    image = keras.Input((*IMAGE_SIZE, 3), name="image")
    pixels = keras.layers.Rescaling(1.0, name="pixels")(image)  # a feature map
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(pixels)
    bright, colour = keras.layers.Dense(2, name="bright"), keras.layers.Dense(3, name="colour", use_bias=False)
    softmaxes = [keras.layers.Softmax()(layer(mean)) for layer in (bright, colour)]
    bright.set_weights([np.array([[0, 0.05]] * 3), np.array([0, -15])])
    colour.set_weights([0.05 * np.eye(3)[:, ::-1]])
    return _encoder(image, mean, softmaxes, SCHEMA, "euclidean")


def schema_encoder(schema: AttributeSchema) -> Encoder:
    """An encoder with a softmax for every group of a schema, of random weights that are always the same."""
    image = keras.Input((*IMAGE_SIZE, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(image)
    random = np.random.default_rng(0)
    softmaxes = []
    for group in schema.groups:
        layer = keras.layers.Dense(len(group.classes), name=group.name)
        softmaxes.append(keras.layers.Softmax()(layer(mean)))
        layer.set_weights([0.02 * random.normal(size=weight.shape) for weight in layer.get_weights()])
    return _encoder(image, mean, softmaxes, schema, "mean_squared")


def plain_encoder() -> Encoder:
    """An encoder without attributes."""
    image = keras.Input((*IMAGE_SIZE, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D(name="embedding")(image)
    return Encoder(keras.Model({"image": image}, {"embedding": mean}), {"image": "image"}, IMAGE_SIZE)


def write_run(directory: Path, encoder: Encoder, data: Path | None = None) -> Path:
    """Writes what the tools read of a finished run; `data` is the CSV table that it is evaluated on."""
    directory.mkdir()
    encoder.model.save(directory / "encoder.keras")
    write_json(directory / "manifest.json", {"encoder": encoder.describe()})
    config = {
        "dataset": {"name": "csv_table", "root": str(data)},
        "image_size": list(IMAGE_SIZE),
        "batches": {"name": "images", "batch_size": 2},
        "backbone": {"name": "tiny"},
        "model": {"name": "baseline"},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "schedule": {"name": "step", "boundaries": [1]},
        "epochs": 1,
        "evaluation": {"ranked_lists": 1},
    }
    save_config(parse_config(config), directory / "config.yaml")
    return directory


def write_image(path: Path, red: int, green: int, blue: int) -> None:
    """Writes an image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 10, 3), (blue, green, red), np.uint8))


def _encoder(image, mean, softmaxes, schema, distance) -> Encoder:
    outputs = {
        "embedding": keras.layers.Activation("linear", name="embedding")(mean),
        "attributes": keras.layers.Concatenate(name="attributes")(softmaxes),
    }
    model = keras.Model({"image": image}, outputs)
    coding = AttributeCoding(schema, "classes")
    return Encoder(model, {"image": "image"}, IMAGE_SIZE, distance, attributes=coding)
