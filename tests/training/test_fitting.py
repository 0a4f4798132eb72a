"""Interruptions: at any step, by whatever ends a process, a full disk among it, and what goes on from there."""

import dataclasses
import json
import os
import shutil

import keras
import numpy as np
import pytest

from reid_tf.config import load_config, parse_config
from reid_tf.errors import InputError
from reid_tf.files import claimed
from reid_tf.studies.runs import check_same
from reid_tf.training import callbacks
from reid_tf.training.train import train

STEPS = 3  # of an epoch


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return parse_config(
        {
            "dataset": {
                "name": "synthetic",
                "root": str(tmp_path_factory.mktemp("cache")),
                "identities": 12,
                "images_per_identity": 6,
            },
            "image_size": [32, 16],
            "augment": [{"name": "flip"}, {"name": "random_erasing"}],
            "batches": {"name": "images", "batch_size": 8},
            "backbone": {"name": "tiny", "width": 4},
            "model": {"name": "baseline", "embedding_dim": 8, "dropout": 0.2},
            "optimizer": {"name": "adam", "learning_rate": 0.01, "ema_momentum": 0.9},
            "schedule": {"name": "cosine"},
            "epochs": 2,
            "steps_per_epoch": STEPS,
            "evaluation": {"ranked_lists": 1},
        }
    )


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    return train(recipe, tmp_path_factory.mktemp("runs") / "whole")


class Interruption(callbacks.StopAtNaN):
    """Ends the run after so many of its own steps, once what is to be saved is saved."""

    left = 0

    def on_train_batch_begin(self, batch, logs=None):
        resumed_before = json.loads((self.checkpoints / "state.json").read_text()) if type(self).left < 0 else {}
        if batch < resumed_before.get("step", 0):
            return
        if type(self).left == 0:
            raise KeyboardInterrupt
        type(self).left -= 1


def interrupted(recipe, path, monkeypatch, after, minutes=0.0, resume=False):
    """Trains until an interruption before step number `after`, saving at every step."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(callbacks, "MINUTES", minutes)
        patched.setattr(callbacks, "StopAtNaN", Interruption)
        Interruption.left = after
        train(recipe, path, resume)
    return path.with_name(f"{path.name}.unfinished")


def weights(run):
    return keras.models.load_model(run / "model.keras", compile=False).get_weights()


def assert_same_run(resumed, finished):
    assert [list(entry) for entry in resumed.history] == [list(entry) for entry in finished.history]
    for entry, expected in zip(resumed.history, finished.history, strict=True):
        for key, value in expected.items():
            assert entry[key] == pytest.approx(value, rel=1e-4), key
    for array, expected in zip(weights(resumed.run_directory), weights(finished.run_directory), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_the_last_step_of_an_epoch_is_saved_with_the_epoch(recipe, tmp_path, monkeypatch):
    """Nothing would be left of the last epoch to go on with."""
    saved = []
    save = callbacks.Checkpoints._save
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "MINUTES", 0.0)
        patched.setattr(
            callbacks.Checkpoints, "_save", lambda self, name, **state: (saved.append(name), save(self, name, **state))
        )
        train(recipe, tmp_path / "a")
    assert saved == [
        "epoch-0001-step-000001.weights.h5", "epoch-0001-step-000002.weights.h5", "epoch-0001.weights.h5",
        "epoch-0002-step-000001.weights.h5", "epoch-0002-step-000002.weights.h5", "epoch-0002.weights.h5",
    ]  # fmt: skip


@pytest.mark.parametrize("after", [1, 2, 4])
@pytest.mark.slow
def test_an_epoch_goes_on_inside_it(recipe, finished, tmp_path, monkeypatch, after):
    """Equal but for the order of sums on several cores; `reid-tf benchmark kills` compares bits, on one."""
    unfinished = interrupted(recipe, tmp_path / "a", monkeypatch, after)
    state = json.loads((unfinished / "checkpoints" / "state.json").read_text())
    assert (state["epoch"], state["step"]) == divmod(after, STEPS)
    files = {path.name for path in (unfinished / "checkpoints").glob("*.h5")}
    assert files == {f"epoch-{after // STEPS + 1:04d}-step-{after % STEPS:06d}.weights.h5"}
    assert_same_run(train(recipe, tmp_path / "a", resume=True), finished)


@pytest.mark.slow
def test_a_short_epoch_is_saved_at_its_end_alone(recipe, tmp_path, monkeypatch):
    unfinished = interrupted(recipe, tmp_path / "a", monkeypatch, 2, callbacks.MINUTES)
    assert not (unfinished / "checkpoints" / "state.json").exists()


@pytest.mark.slow
def test_a_run_goes_on_where_its_data_have_moved_to(recipe, finished, tmp_path, monkeypatch):
    unfinished = interrupted(recipe, tmp_path / "a", monkeypatch, 4)
    cache = recipe.dataset["root"]
    moved = tmp_path / "moved"
    shutil.copytree(cache, moved)
    monkeypatch.chdir(tmp_path)
    there = dataclasses.replace(recipe, dataset={**recipe.dataset, "root": "moved"})
    copied = tmp_path / "b.unfinished"
    shutil.copytree(unfinished, copied)
    assert_same_run(train(there, tmp_path / "a", resume=True), finished)
    assert load_config(tmp_path / "a" / "config.yaml").dataset["root"] == "moved"
    check_same(there, finished.run_directory)  # of a sweep
    image = next(moved.glob("*/bounding_box_train/*.jpg"))
    image.write_bytes(image.read_bytes() + b"\0")
    with pytest.raises(InputError, match=r"b.unfinished' holds a run on other images .* Received: root='moved'"):
        train(there, tmp_path / "b", resume=True)
    with pytest.raises(InputError, match=r"whole' holds a run on other images .* Received: root='moved'"):
        check_same(there, finished.run_directory)


def test_spellings_of_a_path_are_equal(recipe, tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.weights.h5").touch()
    monkeypatch.chdir(tmp_path)
    relative, absolute, other = (
        dataclasses.replace(recipe, initial_weights=path)
        for path in ("weights/a.weights.h5", str(tmp_path / "weights" / "a.weights.h5"), "weights/b.weights.h5")
    )
    assert relative.differing_key(absolute) is None
    assert relative.differing_key(other) == "initial_weights"


def test_the_second_training_into_one_folder_ends_at_once_and_the_first_one_is_whole(recipe, tmp_path):
    with claimed(tmp_path / "a", folder=True):
        run = tmp_path / "a.unfinished"
        run.mkdir()
        (run / "config.yaml").write_text("of the first")
        process = os.fork()
        if not process:  # claims nothing, as another thread would not
            try:
                from reid_tf import files

                files._held.clear()
                train(recipe, tmp_path / "a")
            except InputError as error:
                (tmp_path / "sentence").write_text(str(error))
            os._exit(0)
        os.waitpid(process, 0)
        assert (run / "config.yaml").read_text() == "of the first"
    assert f"a' is being written by process {os.getpid()}" in (tmp_path / "sentence").read_text()


class Moved(callbacks.StopAtNaN):
    """Moves the run's folder away in the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            run = self.checkpoints.parent
            run.rename(run.with_name("elsewhere"))


@pytest.mark.slow
def test_a_folder_moved_while_it_is_written_is_no_finished_run(recipe, finished, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "StopAtNaN", Moved)
        with pytest.raises(InputError, match=r"a.unfinished', was moved or removed meanwhile: put it back"):
            train(recipe, tmp_path / "a")
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere"}
    (tmp_path / "elsewhere").rename(tmp_path / "a.unfinished")
    assert_same_run(train(recipe, tmp_path / "a", resume=True), finished)


@pytest.mark.slow
def test_a_run_that_lacks_its_configuration_is_not_finished(recipe, tmp_path, monkeypatch):
    class Removed(callbacks.StopAtNaN):
        def on_train_end(self, logs=None):
            for name in ("config.yaml", "history.csv"):
                (self.checkpoints.parent / name).unlink()

    monkeypatch.setattr(callbacks, "StopAtNaN", Removed)
    with pytest.raises(InputError, match=r"cannot be finished, as '.*config.yaml' was removed or moved meanwhile"):
        train(recipe, tmp_path / "a")
    assert {path.name for path in tmp_path.iterdir()} == {"a.unfinished"}
    assert (tmp_path / "a.unfinished" / "history.csv").exists()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda run: next(run.glob("checkpoints/*.h5")).unlink(), r"The checkpoint '.*h5' is gone or damaged"),
        (
            lambda run: next(run.glob("checkpoints/*.h5")).write_bytes(b"no"),
            r"The checkpoint '.*h5' is gone or damaged",
        ),
        (lambda run: (run / "checkpoints/state.json").write_text("{"), r"state.json' cannot be read"),
        (lambda run: (run / "checkpoints/state.json").write_text("{}"), r"state.json' is damaged: it lacks 'epoch'"),
        (lambda run: (run / "config.yaml").unlink(), r"no configuration file '.*config.yaml'"),
    ],
)
@pytest.mark.slow
def test_a_damaged_interrupted_run_is_a_sentence(recipe, tmp_path, monkeypatch, damage, sentence):
    damage(interrupted(recipe, tmp_path / "a", monkeypatch, 4))
    with pytest.raises(InputError, match=sentence):
        train(recipe, tmp_path / "a", resume=True)


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_the_run_goes_on(recipe, finished, tmp_path, monkeypatch):
    written = []

    def full(self, content):
        if self.name.endswith(".weights.h5") and written:
            raise OSError(28, os.strerror(28))
        written.append(self.name)
        with open(self, "wb") as file:
            return file.write(content)

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(InputError, match=r"epoch-0002.weights.h5' cannot be written: No space left on device"):
            train(recipe, tmp_path / "a")
    assert {path.name for path in tmp_path.iterdir()} == {"a.unfinished"}
    assert_same_run(train(recipe, tmp_path / "a", resume=True), finished)
