"""What identifies a network: all that its outputs depend on, and nothing else."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from reid_tf.encoder.runtimes.keras_model import KerasRuntime, model_identity
from reid_tf.layers.preprocessing import ChannelNormalization
from tests.made_exports import attribute_encoder, pose_encoder

IN_ANOTHER_PROCESS = """
import sys, keras
import reid_tf.layers
from reid_tf.encoder.runtimes.keras_model import model_identity
print(model_identity(keras.models.load_model(sys.argv[1], compile=False)))
"""


def made(mean=(0.0, 0.0, 0.0), pool="average", seed=0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 4, 3), name="image")
    pixels = ChannelNormalization(mean, (1.0, 1.0, 1.0), name="pixels")(image)
    features = keras.layers.Conv2D(4, 3, name="convolution")(pixels)
    features = keras.layers.BatchNormalization(name="norm")(features)
    kind = keras.layers.GlobalAveragePooling2D if pool == "average" else keras.layers.GlobalMaxPooling2D
    return keras.Model({"image": image}, {"embedding": kind(name="embedding")(features)}, name="encoder")


def test_a_network_is_known_again(tmp_path):
    model = made()
    identity = model_identity(model)
    assert len(identity) == 16
    assert model_identity(made()) == identity
    model.save(tmp_path / "a.keras")
    assert model_identity(keras.models.load_model(tmp_path / "a.keras")) == identity
    assert KerasRuntime(model).folded().identity == identity
    assert KerasRuntime(model).folded().folded().identity == identity
    model.get_layer("convolution").trainable = False
    model.compile("sgd", jit_compile=True)
    assert model_identity(model) == identity


@pytest.mark.parametrize("change", [{"mean": (1.0, 0.0, 0.0)}, {"pool": "max"}, {"seed": 1}])
def test_another_network_is_another(change):
    """In its preprocessing, its layers or its weights."""
    assert model_identity(made(**change)) != model_identity(made())


def test_one_weight_changes_it():
    model = made()
    runtime = KerasRuntime(model)
    before = runtime.identity
    kernel = model.get_layer("convolution").kernel
    values = kernel.numpy()
    values[0, 0, 0, 0] = np.nextafter(values[0, 0, 0, 0], np.float32(9))
    kernel.assign(values)
    assert runtime.identity != before  # a network in training is not the one that it was


@pytest.mark.parametrize("make", [attribute_encoder, pose_encoder])
@pytest.mark.slow
def test_another_process_finds_the_same(make, tmp_path):
    encoder = make()
    encoder.model.save(tmp_path / "a.keras")
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "a.keras")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.split()[-1:] == [encoder.fingerprint.weights], done.stderr


def test_a_layer_that_does_not_say_what_it_is():
    class Silent(keras.layers.Layer):
        def __init__(self, change):
            super().__init__()
            self.change = change

        def call(self, image):
            return self.change(keras.ops.mean(image, axis=(1, 2)))

    image = keras.Input((4, 2, 3), name="image")
    assert model_identity(keras.Model({"image": image}, {"embedding": Silent(lambda values: values)(image)})) is None
