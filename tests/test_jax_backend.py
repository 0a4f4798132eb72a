"""The systems use Keras' operations only, so they also train on Keras' JAX backend."""

import importlib.util
import os
import subprocess
import sys

import pytest

from reid_tf.registry import MODELS

ONE_STEP = """
import keras, numpy as np
from reid_tf.registry import BACKBONES, MODELS
from reid_tf.datasets.attributes import MARKET1501_SCHEMA

assert keras.backend.backend() == "jax"
rng = np.random.default_rng(0)
EVERYTHING = {"name": "multitask", "outputs": ["identity_a", "identity_b", "verification", "attributes", "embedding"]}
for component in [*({"name": name} for name in MODELS.names()), EVERYTHING]:
    name = component["name"]
    keras.utils.set_random_seed(0)
    backbone = BACKBONES.build({"name": "tiny", "width": 4}, image_size=(32, 16))
    system = MODELS.build(component, backbone=backbone, num_identities=3, attribute_schema=MARKET1501_SCHEMA)
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights, metrics=system.metrics)
    inputs = {key: rng.uniform(0, 255, (4, *t.shape[1:])).astype("float32") for key, t in system.model.input.items()}
    before = system.encoder({"image": inputs[sorted(inputs)[0]]})["embedding"]
    made = dict.fromkeys(("identity", "identity_a", "identity_b", "different"), np.array([0, 1, 0, 1]))
    made["attributes"] = rng.integers(-1, 2, (4, len(MARKET1501_SCHEMA.groups)))
    made["binary_attributes"] = rng.integers(-1, 2, (4, len(MARKET1501_SCHEMA.binary_names)))
    if "image_a" in inputs:
        made["identity"] = np.stack([made["identity"], made["identity"][::-1]], axis=1)
        made["binary_attributes"] = np.stack([made["binary_attributes"]] * 2, axis=1)
    labels = {key: made[label] for key, label in system.targets.items()}
    for _ in range(2):  # the verification classifier starts at zero: its second step reaches the encoder
        losses = system.model.train_on_batch(inputs, labels, return_dict=True)
    after = system.encoder({"image": inputs[sorted(inputs)[0]]})["embedding"]
    assert all(np.isfinite(value) for value in losses.values()), losses
    assert not np.allclose(before, after), name
    print("trained", name)
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed.")
def test_every_system_takes_a_training_step():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(
        [sys.executable, "-c", ONE_STEP], env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-3000:]
    trained = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("trained")]
    assert trained == [*MODELS.names(), "multitask"]
