"""Everything that is registered is tested the day it is registered."""

import inspect
import typing
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import reid_tf
from reid_tf import registry
from reid_tf.config import load_config
from reid_tf.errors import InputError
from reid_tf.options import options_of
from reid_tf.registry import Registry
from tests import made_batches
from tests.made_batches import SIZE

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TABLES = [table for table in vars(registry).values() if isinstance(table, Registry)]
ENTRIES = [(table, name) for table in TABLES for name in table.names()]


def required(table: Registry, name: str) -> dict:
    """The smallest value that serves each option without a default."""
    values = {
        "batch_size": 4,
        "learning_rate": 0.1,
        "num_identities": 2,
        "images_per_identity": 2,
        "identities_per_batch": 2,
        "model_file": "none.tflite",
        "run": "none",
        "path": "none.npz",
        "format": "npz",
        "application": "MobileNetV2",
        "layer": "AutoContrast",
        "teacher": "none",
        "preset": "none",
        "sources": [{"name": "synthetic"}, {"name": "synthetic", "as": "others"}],
    }
    parameters = inspect.signature(table.get(name)).parameters.values()
    return {
        p.name: values[p.name]
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
    }


@pytest.mark.parametrize(("table", "name"), ENTRIES, ids=lambda value: getattr(value, "kind", value))
def test_every_option_is_typed_and_documented(table, name):
    function = table.get(name)
    hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.name in hints
        assert f"    {parameter.name}:" in inspect.getdoc(function)


@pytest.mark.parametrize(("table", "name"), ENTRIES, ids=lambda value: getattr(value, "kind", value))
def test_every_number_is_finite_and_every_count_is_not_negative(table, name):
    """Before anything is read or built: NaN, infinity, -1 and what no tensor holds mean nothing to any option."""
    function = table.get(name)
    hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    given = {"name": name, **required(table, name)}
    for option in options_of(function):
        text = str(hints[option])
        senseless = [float("nan"), float("inf"), -float("inf"), 1e300] if "float" in text else []
        senseless += [-1, 2**63] if "int" in text else []
        for value in senseless:
            wrong = value if not any(kind in text for kind in ("tuple", "Sequence")) else [value] * text.count("int")
            with pytest.raises(InputError, match=option):
                table.options({**given, option: wrong or [value] * 3})
    if "learning_rate" in options_of(function):
        with pytest.raises(InputError, match=r"'learning_rate' .* it must be above 0. Received: 0"):
            table.options({**given, "learning_rate": 0})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_is_valid_and_has_its_header(path):
    load_config(path)
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(line.startswith("# Reported by the paper:") for line in header)
    assert any(line.startswith("# Measured:") for line in header)
    assert any(line.startswith("# Run: python tools/train.py") and path.stem.split("_")[0] in line for line in header)


@pytest.mark.parametrize("name", registry.MODELS.names())
def test_every_model_learns_with_every_weight(name):
    system = made_batches.build(name)
    inputs, labels = made_batches.inputs(system), made_batches.labels(system)
    # The verification classifier starts at zero, and what is before it then gets no gradient in the very first step.
    rng = np.random.default_rng(0)
    for variable in system.model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.05, variable.shape))
    with tf.GradientTape() as tape:
        outputs = system.model(inputs, training=True)
        loss = tf.add_n([system.losses[key](labels[key], value) for key, value in outputs.items()])
    gradients = tape.gradient(loss, [variable.value for variable in system.model.trainable_variables])
    for variable, gradient in zip(system.model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path


@pytest.mark.parametrize("name", registry.MODELS.names())
def test_every_model_is_saved_with_its_losses_and_goes_on_training(name, tmp_path):
    system = made_batches.build(name, **({"dropout": 0.0} if name == "joint_loss" else {}))
    inputs, labels = made_batches.inputs(system), made_batches.labels(system)
    optimizer = registry.OPTIMIZERS.build(
        {"name": "adamw", "learning_rate": 1e-3, "ema_momentum": 0.9},
        make_schedule=lambda rate: registry.SCHEDULES.build(
            {"name": "cosine", "warmup_epochs": 1}, learning_rate=rate, steps_per_epoch=2, epochs=3
        ),
        pretrained=system.model.trainable_variables[:2],
        frozen=system.model.trainable_variables[:1],
        frozen_steps=1,
    )
    model = system.compile(optimizer, run_eagerly=True)  # tracing would take most of the time
    model.train_on_batch(inputs, labels)
    model.save(tmp_path / "model.keras")
    again = reid_tf.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is type(optimizer)
    assert again.optimizer.get_config() == optimizer.get_config()
    assert int(again.optimizer.iterations) == 1
    logs, expected = (one.train_on_batch(inputs, labels, return_dict=True) for one in (again, model))
    assert set(logs) == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(logs[key], value, rtol=1e-5, err_msg=key)
    for variable, other in zip(again.variables, model.variables, strict=True):
        np.testing.assert_allclose(variable, other, rtol=1e-4, atol=1e-6, err_msg=other.path)


@pytest.mark.parametrize("name", registry.MODELS.names())
def test_a_path_names_one_weight_of_a_model(name):
    """Optimizers tell pre-trained weights from others by their paths."""
    paths = [variable.path for variable in made_batches.build(name).model.trainable_variables]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("name", registry.SAMPLERS.names())
def test_every_sampler_repeats_its_epochs(name):
    identities = np.repeat(np.arange(20), 4)
    build = lambda: registry.SAMPLERS.build(  # noqa: E731
        {"name": name, **required(registry.SAMPLERS, name)},
        identities=identities,
        cameras=np.tile([1, 2], 40),
        epochs=2,
        seed=3,
        replicas=1,
    )
    first, second = list(build().epoch(1)), list(build().epoch(1))
    assert len(first) == len(build())
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", registry.AUGMENTATIONS.names())
def test_every_augmentation_keeps_the_form_of_a_batch(name):
    op = registry.AUGMENTATIONS.build({"name": name, **required(registry.AUGMENTATIONS, name)}, image_size=SIZE)
    batch = {"image": tf.random.stateless_uniform([5, *SIZE, 3], [0, 0], 0, 255), "landmarks": tf.ones([5, 18, 3]) / 2}
    after = op(batch, tf.constant([1, 2]))
    assert {key: value.shape for key, value in after.items()} == {key: value.shape for key, value in batch.items()}
    assert np.isfinite(after["image"]).all()


@pytest.mark.parametrize("name", registry.OPTIMIZERS.names())
@pytest.mark.parametrize("schedule", registry.SCHEDULES.names())
def test_every_optimizer_descends_under_every_schedule(name, schedule):
    variable = keras.Variable(np.array([[3.0]], np.float32))
    optimizer = registry.OPTIMIZERS.build(
        {"name": name, **required(registry.OPTIMIZERS, name)},
        make_schedule=lambda rate: registry.SCHEDULES.build(
            {"name": schedule}, learning_rate=rate, steps_per_epoch=10, epochs=2
        ),
        pretrained=[],
    )
    for _ in range(5):
        optimizer.apply([2 * variable.value], [variable])
    assert float(variable.value[0, 0]) < 3.0
