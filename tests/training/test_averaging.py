"""Averages of the weights through a training: by hand, in the files, after interruptions, and what is judged."""

import json
from types import SimpleNamespace
from typing import ClassVar

import h5py
import keras
import numpy as np
import pytest

from reid_tf.config import parse_config
from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.query_and_gallery import embed_query_and_gallery
from reid_tf.registry import VALIDATIONS
from reid_tf.retrieval.metrics import evaluate
from reid_tf.training import callbacks, fitting
from reid_tf.training.averaging import averaged_weights
from reid_tf.training.experiment import build_experiment
from reid_tf.training.run_directory import RunDirectory
from reid_tf.training.train import train

pytestmark = pytest.mark.slow

MOMENTUM = 0.6
SGD = {"name": "sgd", "learning_rate": 0.1, "ema_momentum": MOMENTUM}
TREE = {
    "dataset": {"name": "synthetic", "identities": 12, "images_per_identity": 6},
    "image_size": [32, 16],
    "augment": [{"name": "flip"}],
    "batches": {"name": "images", "batch_size": 12},
    "backbone": {"name": "vgg_front", "stackwise_num_convolutions": [1, 1], "stackwise_channels": [4, 8]},
    "model": {"name": "baseline", "batch_norm_neck": True, "pooling": "gem"},
    "optimizer": {"name": "adam", "learning_rate": 0.02, "ema_momentum": MOMENTUM},
    "schedule": {"name": "cosine"},
    "epochs": 4,
    "steps_per_epoch": 2,
}
# The backbone learns from the third epoch on, and a second stage has the fourth one.
STAGES = {
    "freeze_backbone_epochs": 2,
    "stages": [{"name": "first", "share": 0.75}, {"name": "second", "share": 0.25, "optimizer": SGD}],
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return {**TREE, "dataset": {**TREE["dataset"], "root": str(tmp_path_factory.mktemp("cache"))}}


class Steps(callbacks.LearningRate):
    """Writes down the weights after each step, and ends the run before an epoch."""

    seen: ClassVar[list] = []
    interrupted_before: ClassVar[int | None] = None

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == type(self).interrupted_before:
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([np.array(weight) for weight in self.model.optimizer._trainable_variables])


def fit(tree, path, resume=False, interrupted_before=None):
    """All stages as `train` fits them; returns each stage's weights at its beginning and its end."""
    Steps.seen, Steps.interrupted_before = [], interrupted_before
    experiment = build_experiment(parse_config(tree))
    run = RunDirectory(path, resume)
    run.make()
    checkpoints = callbacks.Checkpoints(run, "val_mAP")
    weights, begin = [], 0
    for stage in experiment.in_stages():
        before = [np.array(weight) for weight in stage.system.model.trainable_variables]
        fitting._fit(stage, begin, None, checkpoints)
        weights.append((before, [np.array(weight) for weight in stage.system.model.trainable_variables]))
        begin += stage.config.epochs
    return SimpleNamespace(experiment=experiment, weights=weights, steps=Steps.seen, checkpoints=checkpoints)


@pytest.fixture(scope="module", autouse=True)
def _steps_are_written_down():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(callbacks, "LearningRate", Steps)
        yield


@pytest.fixture(scope="module")
def whole(tree, tmp_path_factory):
    return fit({**tree, **STAGES}, tmp_path_factory.mktemp("runs") / "whole")


def of_file(path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def assert_close(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_each_stage_ends_with_the_averages_by_hand(whole):
    """Six steps of the first stage, four of them with a frozen backbone; the second begins with the averages."""
    assert len(whole.steps) == 8
    (begin, end), (second_begin, second_end) = whole.weights
    for start, steps, found in ((begin, whole.steps[:6], end), (second_begin, whole.steps[6:], second_end)):
        averages = start
        for step, weights in enumerate(steps, start=1):
            momentum = min(MOMENTUM, (1 + step) / (10 + step))
            averages = [momentum * a + (1 - momentum) * w for a, w in zip(averages, weights, strict=True)]
        assert_close(found, averages)
        assert any(np.abs(a - w).max() > 1e-3 for a, w in zip(averages, steps[-1], strict=True))
    for a, b in zip(end, second_begin, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_file_has_the_averages_in_the_weights_place(whole):
    model, checkpoints = whole.experiment.system.model, whole.checkpoints
    bare = keras.Model(model.input, model.output)
    bare.load_weights(checkpoints.run.checkpoints / "epoch-0004.weights.h5")
    assert_close([np.array(weight) for weight in bare.trainable_variables], whole.weights[-1][1])
    checkpoints.restore(model)
    for weight, last in zip(model.trainable_variables, whole.steps[-1], strict=True):
        np.testing.assert_array_equal(weight, last)
    with averaged_weights(model):
        assert_close([np.array(weight) for weight in model.trainable_variables], whole.weights[-1][1])
    np.testing.assert_array_equal(model.trainable_variables[0], whole.steps[-1][0])


def test_interrupted_while_frozen_at_the_thaw_and_between_stages_it_ends_alike(whole, tree, tmp_path):
    tree = {**tree, **STAGES}
    for epoch in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            fit(tree, tmp_path / "a", resume=epoch > 1, interrupted_before=epoch)
        state = json.loads((tmp_path / "a.unfinished" / "checkpoints" / "state.json").read_text())
        assert state["epoch"] == epoch
    last = fit(tree, tmp_path / "a", resume=True)
    assert len(last.steps) == 2
    assert_close(last.weights[0][1], whole.weights[0][1])
    assert_close(last.weights[1][1], whole.weights[1][1])
    files = [of_file(run.checkpoints.run.checkpoints / "epoch-0004.weights.h5") for run in (whole, last)]
    assert files[0].keys() == files[1].keys()
    assert_close(files[0].values(), files[1].values())
    again = fit(tree, tmp_path / "a", resume=True)  # interrupted behind the last epoch
    assert not again.steps
    assert_close(again.weights[1][1], whole.weights[1][1])


def test_what_is_kept_is_what_was_judged(tree, tmp_path):
    """The saved encoder gives the best epoch's val_mAP, and has the weights of no step. In float16, where the optimizer
    stands inside another one."""
    config = parse_config(
        {
            **tree,
            "precision": "mixed_float16",
            "freeze_backbone_epochs": 1,
            "epochs": 2,
            "evaluation": {"validation": {"name": "held_out", "share": 0.4}, "every": 1, "ranked_lists": 1},
        }
    )
    Steps.seen, Steps.interrupted_before = [], None
    result = train(config, tmp_path / "a")
    best = max(result.history, key=lambda entry: entry["val_mAP"])
    split = VALIDATIONS.build(config.evaluation.validation, dataset=build_experiment(config).dataset)
    encoder = load_encoder(tmp_path / "a")
    metrics = evaluate(*embed_query_and_gallery(encoder, split, verbose=0)[:2], encoder.distance)
    assert metrics.mean_average_precision == pytest.approx(best["val_mAP"], abs=0.01)  # loaded, it is folded
    kept = keras.models.load_model(tmp_path / "a" / "model.keras", compile=False)
    assert len(kept.trainable_variables) == len(Steps.seen[0]), "trainable again"
    kernel = kept.get_layer("identity_classifier").kernel
    assert not any(np.array_equal(kernel, weight) for step in Steps.seen for weight in step)
