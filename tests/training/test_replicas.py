"""Two replicas, as logical CPUs of one process and as two processes, in subprocesses: devices are made once."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from reid_tf.training.workers import Workers
from tests.training.test_workers import free_addresses

pytestmark = pytest.mark.slow

SCRIPT = """
import json, sys
import keras, numpy as np, tensorflow as tf

replicas, cache, precision, out = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)

from reid_tf.config import parse_config
from reid_tf.registry import BACKBONES
from reid_tf.training.callbacks import GrowingMargins
from reid_tf.training.experiment import build_experiment
from reid_tf.training.freezing import FreezeBackbone
from reid_tf.training.strategy import make_strategy, precision as under
from reid_tf.training.workers import workers_of_environment

@BACKBONES.register("without_batch_norm")
def without_batch_norm(image_size):
    image = keras.Input((*image_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="stage1")(x)
    return keras.Model(image, x, name="without_batch_norm")

config = parse_config({
    "dataset": {"name": "synthetic", "root": cache, "identities": 12, "images_per_identity": 6},
    "image_size": [32, 16], "augment": [{"name": "flip"}, {"name": "random_erasing"}],
    "batches": json.loads(sys.argv[5]), "backbone": {"name": "without_batch_norm"},
    "model": {"name": "multitask", "embedding_dim": 8, **json.loads(sys.argv[6])}, "precision": precision,
    "optimizer": {"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.01},
    "schedule": {"name": "step", "boundaries": [1]}, "epochs": 2, **json.loads(sys.argv[7]),
})
workers = workers_of_environment()
strategy = make_strategy(workers)
assert strategy.num_replicas_in_sync == (len(workers.addresses) if workers else replicas)
with under(config.precision):
    experiment = build_experiment(config, strategy, workers)
    sizes = {len(batch) for batch in experiment.sampler.epoch(0)}
    assert sizes == {8}, sizes  # shares of a batch are equal, so that the mean of their means is the batch's mean
    with strategy.scope():
        model = experiment.compile()
    history = model.fit(
        experiment.batches(), epochs=2, steps_per_epoch=experiment.steps_per_epoch, verbose=0, shuffle=False,
        callbacks=[
            FreezeBackbone(experiment.backbone, config.freeze_backbone_epochs),
            GrowingMargins(experiment.system.losses.values()),
        ],
    )
np.savez(out, *model.get_weights(), *[np.array(variable) for variable in model.optimizer.variables])
print(json.dumps(history.history["loss"]))
"""


PAIRS = {"name": "pairs", "batch_size": 8}
FOUR_BY_FOUR = {"name": "identity_pairs", "identities_per_batch": 4}
# Pooling with a constrained weight, averages of the weights, and a backbone that joins in the second epoch.
ALL_OPTIONS = {
    "model": {"name": "multitask", "embedding_dim": 8, "pooling": "gem"},
    "optimizer": {"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.01, "ema_momentum": 0.5},
    "freeze_backbone_epochs": 1,
}


def variable(workers):
    return json.dumps({"cluster": {"worker": workers.addresses}, "task": {"type": "worker", "index": workers.index}})


def run(replicas, cache, precision, out, batches=PAIRS, model=None, overrides=None):
    return start(replicas, cache, precision, out, batches, model, overrides)()


def start(replicas, cache, precision, out, batches=PAIRS, model=None, overrides=None, workers=None):
    """Starts a training, and returns a function that waits for its losses and weights."""
    options = [json.dumps(batches), json.dumps(model or {}), json.dumps(overrides or {})]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(replicas), str(cache), precision, str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "TF_CONFIG": variable(workers) if workers else "{}"},
    )

    def result():
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
        with np.load(out) as weights:
            return json.loads(output.splitlines()[-1]), [weights[name] for name in weights.files]

    return result


def test_two_replicas_give_the_loss_and_the_weights_of_one(tmp_path):
    """Without batch normalisation, which sees a replica's share only, every number is the same."""
    one, two = (run(n, tmp_path / "cache", "float32", tmp_path / f"{n}.npz", overrides=ALL_OPTIONS) for n in (1, 2))
    assert two[0] == pytest.approx(one[0], rel=1e-4)
    for first, second in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_two_replicas_in_half_precision(tmp_path):
    losses, _ = run(2, tmp_path / "cache", "mixed_float16", tmp_path / "2.npz", overrides=ALL_OPTIONS)
    assert np.isfinite(losses).all()


def test_attributes_on_two_replicas_give_the_loss_of_one(tmp_path):
    outputs = ["identity_a", "identity_b", "verification", "attributes"]
    one, two = (
        run(n, tmp_path / "cache", "float32", tmp_path / f"{n}.npz", model={"outputs": outputs})[0] for n in (1, 2)
    )
    assert two == pytest.approx(one, rel=1e-4)


def test_all_five_outputs_on_two_replicas(tmp_path):
    """Triplets are formed within each replica's share, so that only the numbers' being finite is promised."""
    outputs = ["identity_a", "identity_b", "verification", "attributes", "embedding"]
    losses, _ = run(2, tmp_path / "cache", "float32", tmp_path / "2.npz", FOUR_BY_FOUR, {"outputs": outputs})
    assert np.isfinite(losses).all()


def test_losses_with_class_vectors_on_two_replicas_give_those_of_one(tmp_path):
    losses = [{"name": "arcface", "warmup_epochs": 1}, {"name": "cosface"}, {"name": "centre"}]
    model = {"name": "triplet", "metric_loss": losses}
    batches = {"name": "identities", "identities_per_batch": 4, "images_per_identity": 2}
    gently = {"loss_weights": {"identity_arcface": 0.01, "identity_cosface": 0.01, "identity_centre": 1e-4}}
    one, two = (run(n, tmp_path / "cache", "float32", tmp_path / f"{n}.npz", batches, model, gently) for n in (1, 2))
    assert two[0] == pytest.approx(one[0], rel=1e-4)
    for first, second in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


def test_metric_losses_on_two_replicas_in_half_precision(tmp_path):
    losses = [{"name": name} for name in ("circle", "supervised_contrastive", "triplet", "arcface")]
    model = {"outputs": ["embedding"], "metric_loss": losses}
    received, _ = run(2, tmp_path / "cache", "mixed_float16", tmp_path / "2.npz", FOUR_BY_FOUR, model)
    assert np.isfinite(received).all()


TOGETHER = {
    "backbone": {"name": "tiny", "width": 8},
    "model": {"name": "triplet", "embedding_dim": 8, "identity": True, "batch_norm_neck": True},
    "optimizer": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9},
    "steps_per_epoch": 2,  # each step enlarges the rounding of the one before
    "sync_batch_norm": True,
    "global_triplets": True,
}


GROUPED = {"name": "identities", "identities_per_batch": 4, "images_per_identity": 2}


def assert_equal(received, expected):
    assert received[0] == pytest.approx(expected[0], rel=1e-5)
    for ours, theirs in zip(received[1], expected[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_one_process_two_replicas_and_two_workers_are_equal(tmp_path):
    """With `sync_batch_norm` and `global_triplets`: the same losses and weights, whoever divides the batch."""
    given = ("float32", tmp_path / "out.npz", GROUPED, None, TOGETHER)
    one, two = (run(replicas, tmp_path / "cache", *given) for replicas in (1, 2))
    assert_equal(two, one)
    addresses = free_addresses(2)
    waits = [
        start(1, tmp_path / "cache", "float32", tmp_path / f"{index}.npz", *given[2:], Workers(addresses, index))
        for index in (0, 1)
    ]
    for wait in waits:
        assert_equal(wait(), one)


def test_a_sum_over_triplets_on_two_replicas_is_that_of_one(tmp_path):
    loss = {"name": "triplet", "mining": "all", "reduction": "sum", "margin": 0.3}
    overrides = {**TOGETHER, "model": {**TOGETHER["model"], "metric_loss": loss}, "loss_weights": {"embedding": 0.05}}
    given = ("float32", tmp_path / "out.npz", GROUPED, None, overrides)
    one, two = (run(replicas, tmp_path / "cache", *given) for replicas in (1, 2))
    assert_equal(two, one)
