"""Encoders that others publish for re-identification, as folders that `load_encoder` opens."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from reid_tf.backbones.weights.conversion import Comparison, fill, weight_table
from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.checksums import checksums
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.files import folder_written_beside, write_json
from reid_tf.keras_file import MANIFEST_FILE
from reid_tf.models.embedding import as_output, pool
from reid_tf.registry import BACKBONES

IMAGE_SIZE = (256, 128)  # of torchreid's published files
FULLY_CONNECTED = ("fc.0.weight", "fc.0.bias", "fc.1.weight", "fc.1.bias", "fc.1.running_mean", "fc.1.running_var")
EPSILON = 1e-5  # of PyTorch's batch normalisation


def convert_encoder(
    backbone: str, state: StateDict, out: str | Path, image_size: tuple[int, int] = IMAGE_SIZE
) -> Comparison:
    """Writes a checkpoint of torchreid's as a folder that `load_encoder` opens.

    The classifier of its training people is left out. Where the checkpoint has
    torchreid's layer between pooling and classifier (linear, batch normalisation,
    ReLU), the embedding is what comes out of that, as there. Embeddings are compared by
    the Euclidean distance, torchreid's own.

    Args:
        backbone: str. A registered backbone that has a table of names.
        state: `StateDict`, as `read_state_dict` gives it.
        out: str or Path. The folder to write.
        image_size: (int, int). Height and width of the images; 256 x 128 is that of
            torchreid's published files.

    Returns:
        `Comparison` of the backbone's tensors.

    Raises:
        InputError: the backbone has no table, or the weights do not fit.
    """
    table = weight_table(backbone, state.tensors)
    network = BACKBONES.build({"name": backbone, **table.options}, image_size=image_size)
    comparison = fill(network, table, state)
    image = keras.Input((*image_size, 3), name="image")
    features = pool(network(image), "average")
    if FULLY_CONNECTED[0] in state.tensors:
        features = _fully_connected(features, state)
    model = keras.Model({"image": image}, {"embedding": as_output(features, "embedding")}, name="encoder")
    encoder = Encoder(model, distance="euclidean")
    with folder_written_beside(out) as folder:
        model.save(folder / "encoder.keras")
        source = {"backbone": backbone, "weights": table.source, "file": Path(state.path).name}
        manifest: dict[str, Any] = {"encoder": encoder.describe(), "converted": source}
        write_json(folder / MANIFEST_FILE, {**manifest, "checksums": checksums(folder, ["encoder.keras"])})
    return comparison


def _fully_connected(features: Any, state: StateDict) -> Any:
    """torchreid's layer on the pooled features; its bias goes into the mean that is subtracted after it."""
    missing = [name for name in FULLY_CONNECTED if name not in state.tensors]
    if missing:
        raise InputError(f"The file {state.path!r} has a layer 'fc', but lacks its tensor {missing[0]!r}.")
    kernel, bias, gamma, beta, mean, variance = (np.asarray(state.tensors[name]) for name in FULLY_CONNECTED)
    if kernel.ndim != 2 or kernel.shape[1] != features.shape[-1]:
        raise InputError(
            f"The tensor 'fc.0.weight' of {state.path!r} must take {features.shape[-1]} features. "
            f"Received: shape {kernel.shape}."
        )
    dense = layers.Dense(len(kernel), use_bias=False, name="projection")
    norm = layers.BatchNormalization(epsilon=EPSILON, name="projection_bn")
    projected = layers.ReLU(name="projection_relu")(norm(dense(features)))
    dense.set_weights([kernel.T])
    norm.set_weights([gamma, beta, mean - bias, variance])
    return projected
