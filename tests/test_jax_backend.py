"""The systems use Keras' operations only, so they also train on Keras' JAX backend."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid_tf.registry import MODELS

pytestmark = pytest.mark.slow

ONE_STEP = """
import sys, keras, numpy as np
sys.path.insert(0, {folder!r})
from tests import made_batches
from reid_tf.registry import MODELS

assert keras.backend.backend() == "jax"
EVERYTHING = {{"outputs": ["identity_a", "identity_b", "verification", "attributes", "embedding"]}}
for name, options in [*((name, {{}}) for name in MODELS.names()), ("multitask", EVERYTHING)]:
    system = made_batches.build(name, **options)
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights, metrics=system.metrics)
    inputs, labels = made_batches.inputs(system), made_batches.labels(system)
    stays = system.encoder or system.model
    given = {{key: inputs[key if key in inputs else key + "_a"] for key in stays.input}}
    before = stays(given)
    for _ in range(2):  # the verification classifier starts at zero: its second step reaches the encoder
        losses = system.model.train_on_batch(inputs, labels, return_dict=True)
    after = stays(given)
    assert all(np.isfinite(value) for value in losses.values()), losses
    assert not any(np.allclose(before[key], after[key]) for key in before), name
    print("trained", name)
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed.")
def test_every_system_takes_a_training_step():
    # Optimising the compiled steps takes longer than running each of them twice.
    compiler = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
    environment = {**os.environ, **compiler, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    script = ONE_STEP.format(folder=str(Path(__file__).resolve().parents[1]))
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-3000:]
    trained = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("trained")]
    assert trained == [*MODELS.names(), "multitask"]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed.")
def test_models_are_imported_without_tensorflow():
    script = "import sys, reid_tf.models; sys.exit('tensorflow' in sys.modules)"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    assert subprocess.run([sys.executable, "-c", script], env=environment, timeout=300).returncode == 0
