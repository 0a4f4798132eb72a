"""A training in two stages: identification, then both losses, with another optimizer."""

import dataclasses
import json
import shutil

import h5py
import keras
import numpy as np
import pandas as pd
import pytest

from reid_tf.config import ExperimentConfig, load_config, parse_config
from reid_tf.errors import InputError
from reid_tf.layers.preprocessing import STORED
from reid_tf.training import callbacks
from reid_tf.training.experiment import build_experiment
from reid_tf.training.run_directory import RunDirectory
from reid_tf.training.train import train

pytestmark = pytest.mark.slow

STAGE_FILE = "stage-identification.weights.h5"
SCORES = {1: 0.1, 2: 0.9, 3: 0.5, 4: 0.4}  # the best epoch lies in the first stage


class ScriptedValidation(keras.callbacks.Callback):
    """Validation whose scores are known."""

    def __init__(self, *_):
        super().__init__()

    def on_epoch_end(self, epoch, logs=None):
        logs["val_mAP"] = SCORES[epoch + 1]


@pytest.fixture(scope="module", autouse=True)
def _scripted_scores():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reid_tf.training.evaluation.Validation", ScriptedValidation)
        yield


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> ExperimentConfig:
    """The parts are left out: they are four networks more to trace, and the stages do not know of them."""
    cache = tmp_path_factory.mktemp("cache")
    return parse_config(
        {
            "dataset": {"name": "synthetic", "root": str(cache), "identities": 12, "images_per_identity": 6},
            "image_size": [32, 16],
            "augment": [{"name": "flip"}, {"name": "random_crop", "padding": 2}],
            "batches": {"name": "identities", "identities_per_batch": 4, "images_per_identity": 3},
            "backbone": {"name": "tiny", "width": 4},
            "model": {"name": "joint_loss", "parts": False, "global_dim": 8, "dropout": 0.2},
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "schedule": {"name": "cosine"},
            "stages": [
                {"name": "identification", "share": 0.5, "loss_weights": {"embedding": 0.0}},
                {
                    "name": "joint",
                    "share": 0.5,
                    "loss_weights": {"identity": 0.5},
                    "optimizer": {"name": "sgd", "learning_rate": 0.02},
                },
            ],
            "epochs": 4,
            "steps_per_epoch": 2,
            "evaluation": {"validation": {"name": "held_out", "share": 0.3}, "every": 1, "ranked_lists": 1},
        }
    )


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    return train(recipe, tmp_path_factory.mktemp("runs") / "a")


@pytest.fixture(scope="module")
def stage_file(finished):
    return finished.run_directory / "checkpoints" / STAGE_FILE


def arrays(path, of_the_optimizer=False):
    """What a weights file holds, by name, read without Keras."""
    found = {}

    def keep(name, item):
        is_wanted = name.startswith("optimizer/") == of_the_optimizer and name.rpartition("/")[-1] not in STORED
        if isinstance(item, h5py.Dataset) and is_wanted:
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def apart(first, second) -> float:
    assert first.keys() == second.keys()
    return float(np.sqrt(sum(np.sum((first[name] - second[name]) ** 2) for name in first)))


def same_values(weights, path) -> bool:
    """Whether a list of arrays is exactly what a file holds, in whatever order."""
    return sorted(array.tobytes() for array in weights) == sorted(array.tobytes() for array in arrays(path).values())


def replaced_stage(recipe, number, **changes):
    stages = list(recipe.stages)
    stages[number] = dataclasses.replace(stages[number], **changes)
    return dataclasses.replace(recipe, stages=tuple(stages))


class Interruption(callbacks.LearningRate):
    """Ends a run before the first step of its last epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt


class Snapshot(callbacks.LearningRate):
    """Ends a run before its first step and keeps the weights that it would have begun with."""

    seen: tuple = ()

    def on_train_begin(self, logs=None):
        type(self).seen = tuple(self.model.get_weights())
        raise KeyboardInterrupt


def test_epochs_are_numbered_through_and_the_stages_are_kept(finished, recipe):
    history = pd.read_csv(finished.run_directory / "history.csv")
    assert list(history["epoch"]) == [entry["epoch"] for entry in finished.history] == [1, 2, 3, 4]
    assert load_config(finished.run_directory / "config.yaml") == recipe
    names = {path.name for path in (finished.run_directory / "checkpoints").iterdir()}
    assert names == {
        STAGE_FILE, "stage-joint.weights.h5", "epoch-0002.weights.h5", "epoch-0004.weights.h5", "state.json",
        "references.json",
    }  # fmt: skip


def test_a_loss_of_weight_0_is_no_part_of_the_total(finished):
    first, second = finished.history[1], finished.history[2]
    assert first["loss"] == pytest.approx(first["identity_loss"], rel=1e-5)
    assert first["embedding_loss"] > 0, "it is still watched"
    assert second["loss"] == pytest.approx(0.5 * second["identity_loss"] + second["embedding_loss"], rel=1e-5)


def test_the_learning_rate_begins_anew(finished):
    """By hand: the cosine is 1 in the first of two epochs, and 1/2 in the second."""
    rates = [entry["learning_rate"] for entry in finished.history]
    assert rates == pytest.approx([0.01, 0.005, 0.02, 0.01], rel=1e-5)
    steps = arrays(finished.run_directory / "checkpoints" / "epoch-0004.weights.h5", of_the_optimizer=True)
    assert steps["optimizer/vars/0"] == 4


def test_the_stage_file_is_the_end_of_the_stage(finished, stage_file):
    assert apart(arrays(stage_file), arrays(stage_file.with_name("epoch-0002.weights.h5"))) == 0
    assert apart(arrays(stage_file), arrays(stage_file.with_name("epoch-0004.weights.h5"))) > 0
    assert not arrays(stage_file, of_the_optimizer=True)


def test_the_best_epoch_of_an_earlier_stage_is_what_stays(finished, stage_file):
    manifest = json.loads((finished.run_directory / "manifest.json").read_text())
    assert (manifest["best_epoch_weights"], manifest["best_val_mAP"]) == ("epoch-0002.weights.h5", 0.9)
    model = keras.models.load_model(finished.run_directory / "model.keras", compile=False)
    assert same_values(model.get_weights(), stage_file)


def test_the_best_epoch_is_loaded_whatever_its_optimizer(recipe, tmp_path):
    """Adam keeps two numbers a weight in the file, SGD one."""
    experiment = build_experiment(recipe)
    run = RunDirectory(tmp_path / "a")
    run.make()
    checkpoints = callbacks.Checkpoints(run, "val_mAP")
    kept = []
    for epoch, (stage, score) in enumerate(zip(experiment.in_stages(), (0.9, 0.4), strict=True)):
        model = stage.compile()
        checkpoints.set_model(model)
        kept.append(model.get_weights())
        checkpoints.on_epoch_end(epoch, {"val_mAP": score})
        model.set_weights([weight + 1 for weight in kept[-1]])
    bare = keras.Model(model.input, model.output)
    checkpoints.load_best(bare)
    for loaded, first, second in zip(model.get_weights(), *kept, strict=True):
        np.testing.assert_array_equal(loaded, first)
        assert not np.array_equal(loaded, second)


def test_another_run_begins_with_exactly_the_weights_of_a_stage(recipe, stage_file, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "LearningRate", Snapshot)
    config = dataclasses.replace(recipe, initial_weights=str(stage_file), stages=(), seed=7)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "a")
    assert same_values(Snapshot.seen, stage_file)
    assert not same_values(build_experiment(recipe).system.model.get_weights(), stage_file)


def test_a_run_interrupted_between_the_stages_and_in_the_second_ends_with_the_same_weights(
    finished, recipe, tmp_path, monkeypatch
):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("reid_tf.training.fitting._keep_stage", interrupted)
        train(recipe, tmp_path / "a")
    checkpoints = tmp_path / "a.unfinished" / "checkpoints"
    assert json.loads((checkpoints / "state.json").read_text())["epoch"] == 2
    assert not (checkpoints / STAGE_FILE).exists()

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(callbacks, "LearningRate", Interruption)
        train(recipe, tmp_path / "a", resume=True)
    assert json.loads((checkpoints / "state.json").read_text())["epoch"] == 3
    assert (checkpoints / STAGE_FILE).exists()

    resumed = train(recipe, tmp_path / "a", resume=True)
    assert [entry["epoch"] for entry in resumed.history] == [1, 2, 3, 4]
    for entry, expected in zip(resumed.history, finished.history, strict=True):
        assert entry["learning_rate"] == expected["learning_rate"]
        assert entry["loss"] == pytest.approx(expected["loss"], rel=0.01)
    stage, last = (
        [arrays(run.run_directory / "checkpoints" / name) for run in (finished, resumed)]
        for name in (STAGE_FILE, "epoch-0004.weights.h5")
    )
    # Equal but for the order of sums on several cores.
    way = apart(stage[0], last[0])
    assert apart(*stage) < 0.02 * way
    assert apart(*last) < 0.02 * way


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path, _: path / "none.weights.h5", r"There is no file of initial weights '.*none\.weights\.h5'"),
        (lambda path, _: path, "There is no file of initial weights"),
        (
            lambda path, _: (path / "text.weights.h5", (path / "text.weights.h5").write_text("<html>"))[0],
            r"initial weights '.*text\.weights\.h5' are not those of this model: ",
        ),
        (
            lambda path, stage: shutil.copy(stage, path / "weights.bin"),
            r"initial weights '.*weights\.bin' are not those of this model: ",
        ),
    ],
)
def test_what_is_no_file_of_weights_is_said_before_training(recipe, stage_file, tmp_path, make, message):
    (tmp_path / "files").mkdir()
    config = dataclasses.replace(recipe, initial_weights=str(make(tmp_path / "files", stage_file)))
    with pytest.raises(InputError, match=message) as error:
        train(config, tmp_path / "a")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize(
    ("change", "layer"),
    [({"global_dim": 4}, "global_projection"), ({"batch_norm_neck": True}, "neck"), ({"parts": True}, "head_")],
)
def test_weights_of_another_model_are_said_before_training(recipe, stage_file, tmp_path, change, layer):
    model = {**recipe.model, **change, "shared_layers": 2, "grids": [[2, 2]] * 3}
    config = dataclasses.replace(recipe, model=model, initial_weights=str(stage_file))
    message = f"initial weights '.*{STAGE_FILE}' are not those of this model: .*{layer}.*"
    with pytest.raises(InputError, match=message) as error:
        train(config, tmp_path / "a")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400 + len(str(stage_file)), "not the values of the variables"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": {"name": "images", "batch_size": 4}}, "'joint_loss' takes batches of identities. .*'images'"),
        (
            {"batches": {"name": "identities", "identities_per_batch": 4, "images_per_identity": 1}},
            "A loss among the images of a batch needs two identities, and two images of one",
        ),
        ({"batches": {"name": "identities", "identities_per_batch": 99}}, "Received: 99"),
        ({"loss_weights": {"identiti": 1.0}}, "'identiti'. Did you mean 'identity'"),
        ({"loss_weights": {"embedding": -1.0}}, "loss weight of 'embedding' must not be negative. Received: -1"),
    ],
)
def test_what_does_not_suit_a_stage_is_said_before_training(recipe, tmp_path, number, change, message):
    with pytest.raises(InputError, match=message):
        train(replaced_stage(recipe, number, **change), tmp_path / "a")
    assert not list(tmp_path.iterdir())
