"""Components of a user's own: a package made here, reached from YAML by `imports` and as an installed package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid_tf import registry
from reid_tf.config import load_config
from reid_tf.errors import InputError

COMPONENTS = """
import keras
import numpy as np
import tensorflow as tf

from reid_tf.datasets.record import ReIDDataset
from reid_tf.datasets.synthetic import synthetic
from reid_tf.pipeline.samplers.images import images
from reid_tf.registry import AUGMENTATIONS, BACKBONES, CALLBACKS, DATASETS, METRIC_LOSSES, SAMPLERS


@BACKBONES.register("theirs_plain")
def plain(image_size: tuple[int, int], *, width: int = 8) -> keras.Model:
    image = keras.Input((*image_size, 3), name="image")
    features = Halved(name="halved")(keras.layers.Rescaling(1 / 255)(image))
    features = keras.layers.Conv2D(width, 3, strides=4, activation="relu", name="stage1")(features)
    return keras.Model(image, features, name="theirs_plain")


@keras.saving.register_keras_serializable(package="theirs")
class Halved(keras.layers.Layer):
    def call(self, values):
        return values / 2


@METRIC_LOSSES.register("theirs_spread")
@keras.saving.register_keras_serializable(package="theirs")
class Spread(keras.losses.Loss):
    ranking_distance = "euclidean"

    def __init__(self, *, strength: float = 1.0, name: str = "spread") -> None:
        super().__init__(name=name, dtype="float32")
        self.strength = strength

    def call(self, y_true, y_pred):
        return self.strength * keras.ops.mean(keras.ops.square(y_pred), axis=-1)

    def get_config(self):
        return {"strength": self.strength, "name": self.name}


@DATASETS.register("theirs_people")
def people(root: str | None = None, *, identities: int = 12) -> ReIDDataset:
    return synthetic(root, identities=identities, images_per_identity=6, image_size=(32, 16))


@AUGMENTATIONS.register("theirs_grey")
def grey(*, share: float = 1.0):
    def apply(batch, seed):
        mean = tf.reduce_mean(batch["image"], axis=-1, keepdims=True)
        return {**batch, "image": batch["image"] * (1 - share) + mean * share}

    return apply


@SAMPLERS.register("images")
def images_again(*, batch_size: int):
    raise AssertionError
"""
GOOD = (
    COMPONENTS[: COMPONENTS.index('@SAMPLERS.register("images")')]
    + """
@CALLBACKS.register("theirs_counter")
class Counter(keras.callbacks.Callback):
    def __init__(self, *, file: str) -> None:
        super().__init__()
        self.file = file

    def on_epoch_end(self, epoch, logs=None):
        with open(self.file, "a") as counted:
            counted.write(f"{epoch} {sorted(logs)}\\n")
"""
)
LIGHT = """
from reid_tf.datasets.record import ReIDDataset
from reid_tf.registry import DATASETS


@DATASETS.register("theirs_few")
def few(root: str | None = None, *, people: int = 2) -> ReIDDataset:
    return ReIDDataset("theirs_few", (), (), ())
"""
RECIPE = """
imports: [their_module]
dataset: {name: theirs_people}
image_size: [32, 16]
augment: [{name: theirs_grey}]
batches: {name: identities, identities_per_batch: 3, images_per_identity: 2}
backbone: {name: theirs_plain}
model: {name: triplet, metric_loss: {name: theirs_spread, strength: 0.5}}
optimizer: {name: adam, learning_rate: 1.0e-3}
schedule: {name: constant}
callbacks: [{name: theirs_counter, file: counted.txt}]
epochs: 1
steps_per_epoch: 2
"""


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a folder, with the package but without what pytest has on its path."""
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "REID_TF_CACHE": str(folder / "cache"), "PYTHONPATH": root, **environment}
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_a_training_with_nothing_but_own_components(tmp_path):
    """And its encoder, whose file names a layer of theirs, opens again in a process that has imported nothing."""
    (tmp_path / "their_module.py").write_text(GOOD)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    tool = str(Path(__file__).resolve().parents[1] / "tools" / "train.py")
    done = python(tmp_path, tool, "--config", "recipe.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "counted.txt").read_text().startswith("0 ['learning_rate', 'loss'")
    opened = python(tmp_path, "-c", "import reid_tf; print(reid_tf.load_encoder('run').distance)")
    assert opened.stdout == "euclidean\n", opened.stderr


def test_an_installed_package_is_known_without_imports(tmp_path):
    (tmp_path / "site" / "theirs-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "theirs.py").write_text(LIGHT)
    information = tmp_path / "site" / "theirs-1.0.dist-info"
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[reid_tf.components]\nall = theirs\n")
    root = str(Path(__file__).resolve().parents[1])
    code = "from reid_tf.registry import DATASETS; print(DATASETS.options({'name': 'theirs_few', 'people': 4}))"
    path = os.pathsep.join([root, str(tmp_path / "site")])
    done = python(tmp_path, "-c", code, PYTHONPATH=path)
    assert done.stdout == "{'people': 4}\n", done.stderr
    (information / "entry_points.txt").write_text("[reid_tf.components]\nall = missing_module\n")
    done = python(tmp_path, "-c", code, PYTHONPATH=path)
    assert "InputError: The entry point 'all' of theirs in 'reid_tf.components' cannot be imported" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing", None, "'missing' in `imports` cannot be imported: ModuleNotFoundError: No module named 'missing'."),
        ("failing", "1 / 0", "'failing' in `imports` cannot be imported: ZeroDivisionError: division by zero."),
        ("silent", "x = 1", r"'silent' in `imports` registers no component .*\(data set, .*callback\)"),
        (
            "taking",
            COMPONENTS,
            "'images' is already registered, by reid_tf.pipeline.samplers.images.images; a new",
        ),
    ],
)
def test_modules_that_do_not_work(tmp_path, monkeypatch, name, text, message):
    monkeypatch.chdir(tmp_path)
    for table in registry.TABLES:  # what `taking` enters before it fails is taken back
        monkeypatch.setattr(table, "_functions", dict(table._entered()))
    if text is not None:
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("their_module", name))
    with pytest.raises(InputError, match=message):
        load_config("recipe.yaml")


def test_the_documented_module_works(tmp_path, monkeypatch):
    page = (Path(__file__).resolve().parents[1] / "docs" / "components.md").read_text()
    (tmp_path / "my_parts.py").write_text(page.split("```python\n")[1].split("```")[0])
    monkeypatch.chdir(tmp_path)
    for table in registry.TABLES:
        monkeypatch.setattr(table, "_functions", dict(table._entered()))
    registry.import_components(["my_parts"])
    backbone = registry.BACKBONES.build({"name": "my_net", "width": 4}, image_size=(32, 16))
    component = {"name": "triplet", "metric_loss": {"name": "my_loss", "strength": 0.5}}
    system = registry.MODELS.build(component, backbone=backbone, num_identities=3)
    assert system.losses["embedding"].strength == 0.5
    assert system.distance == "euclidean"
    monkeypatch.delitem(sys.modules, "my_parts")


def test_the_same_function_may_be_entered_again():
    """As a notebook does whose cell runs twice."""
    table = registry.Registry("thing", "reid_tf.errors")

    def enter():
        @table.register("one")
        def one(*, size: int = 1) -> int:
            return size

    enter()
    enter()
    assert table.build({"name": "one", "size": 2}) == 2
