"""Every rule against updates computed by hand, on one kernel and one bias of a pre-trained and a new layer."""

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import OPTIMIZERS
from reid_tf.training.scaled_optimizers import ScaledAdam, ScaledSGD
from reid_tf.training.schedules import Constant

RATE, DECAY, SHARE = 0.1, 0.3, 0.25
GRADIENTS = [np.array([[0.5, -1.0]], np.float32), np.array([[-0.2, 0.4]], np.float32)]


def run(component):
    """Two steps with the same gradients for a slow kernel, a new kernel, and a new bias; returns their paths."""
    start = np.array([[1.0, -2.0]], np.float32)
    slow, new, bias = (keras.Variable(value, name=f"v{i}") for i, value in enumerate((start, start, start[0])))
    optimizer = OPTIMIZERS.build(
        {"learning_rate": RATE, "pretrained_rate": SHARE, **component}, make_schedule=Constant, pretrained=[slow]
    )
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in (gradient, gradient, gradient[0])], [slow, new, bias])
    return {name: np.array(v) for name, v in (("slow", slow), ("new", new), ("bias", bias[None]))}


def sgd_by_hand(share, decay, coupled, momentum=0.9):
    w, velocity = np.array([[1.0, -2.0]]), 0.0
    for gradient in GRADIENTS:
        g = gradient + decay * w if coupled else gradient
        velocity = momentum * velocity - RATE * share * g
        w = w + velocity - (0.0 if coupled else RATE * share * decay * w)
    return w


def adam_by_hand(share, decay, coupled, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    w, mean, square = np.array([[1.0, -2.0]]), 0.0, 0.0
    for step, gradient in enumerate(GRADIENTS, 1):
        g = gradient + decay * w if coupled else gradient
        mean, square = beta_1 * mean + (1 - beta_1) * g, beta_2 * square + (1 - beta_2) * g * g
        corrected = RATE * share * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        w = w - corrected * mean / (np.sqrt(square) + epsilon) - (0.0 if coupled else RATE * share * decay * w)
    return w


@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
@pytest.mark.parametrize(("name", "by_hand"), [("sgd", sgd_by_hand), ("adam", adam_by_hand)])
def test_updates_equal_those_by_hand(name, by_hand, decay):
    found = run({"name": name, "weight_decay": DECAY, "decay": decay})
    coupled = decay == "coupled"
    np.testing.assert_allclose(found["slow"], by_hand(SHARE, DECAY, coupled), rtol=1e-4)
    np.testing.assert_allclose(found["new"], by_hand(1.0, DECAY, coupled), rtol=1e-4)
    np.testing.assert_allclose(found["bias"], by_hand(1.0, 0.0, coupled), rtol=1e-4, err_msg="biases do not decay")


def test_adamw_is_adam_with_decoupled_decay():
    found, expected = (
        run({"name": "adamw", "weight_decay": DECAY}),
        run({"name": "adam", "weight_decay": DECAY, "decay": "decoupled"}),
    )
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


def test_adamw_equals_keras_own_on_a_new_kernel():
    w = keras.Variable(np.array([[1.0, -2.0]], np.float32))
    keras_adamw = keras.optimizers.AdamW(RATE, weight_decay=DECAY)
    for gradient in GRADIENTS:
        keras_adamw.apply([keras.ops.convert_to_tensor(gradient)], [w])
    np.testing.assert_allclose(run({"name": "adamw", "weight_decay": DECAY})["new"], np.array(w), rtol=1e-4)


def test_a_slow_share_changes_adams_update():
    """Scaling the gradient instead would leave Adam's update as it is."""
    found = run({"name": "adam"})
    moved = {name: np.abs(value - [[1.0, -2.0]]).max() for name, value in found.items()}
    assert moved["slow"] == pytest.approx(SHARE * moved["new"], rel=1e-3)


@pytest.mark.parametrize("option", ["weight_decay", "pretrained_rate"])
def test_negative_values(option):
    with pytest.raises(InputError, match=f"{option} must not be negative. Received: -1"):
        run({"name": "sgd", option: -1.0})


def run_late(component, late_steps=3, steps=5):
    """The first variable joins after some steps; returns the optimizer, both variables and their path step by step."""
    late, early = (keras.Variable(np.array([[1.0, -2.0]], np.float32), name=name) for name in ("late", "early"))
    optimizer = OPTIMIZERS.build(
        {"learning_rate": RATE, "weight_decay": 0.0, **component},
        make_schedule=Constant,
        pretrained=[],
        frozen=[late],
        frozen_steps=late_steps,
    )
    optimizer.build([late, early])
    path = []
    for step in range(steps):
        variables = [early] if step < late_steps else [late, early]
        gradient = keras.ops.convert_to_tensor(GRADIENTS[step % 2])
        optimizer.apply([gradient] * len(variables), variables)
        path.append([np.array(variable) for variable in (late, early)])
    return optimizer, [late, early], np.array(path)


def test_adam_corrects_a_late_variable_by_its_own_steps():
    """Its way is that of a variable which an optimizer of its own takes through the same two gradients, then stands."""
    _, _, path = run_late({"name": "adam"}, late_steps=4, steps=6)
    start = np.array([[1.0, -2.0]])
    np.testing.assert_array_equal(path[:4, 0], [start] * 4)
    np.testing.assert_allclose(path[5, 0] - start, adam_by_hand(1.0, 0.0, True) - start, rtol=1e-3)
    np.testing.assert_allclose(path[1, 1], path[5, 0], rtol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_averages_follow_each_variables_own_updates(name):
    """a = m a + (1 - m) w from the first weights on, m small at first; a variable that stands is its own average."""
    optimizer, variables, path = run_late({"name": name, "ema_momentum": 0.7})
    averages = np.array([[[1.0, -2.0]]] * 2)
    for step, weights in enumerate(path, start=1):
        momentum = min(0.7, (1 + step) / (10 + step))
        averages = momentum * averages + (1 - momentum) * weights
    np.testing.assert_allclose(np.array(optimizer._model_variables_moving_average), averages, rtol=1e-5)
    assert np.abs(averages - path[-1]).min() > 1e-3
    # As `fit` does at its end, which names what is trainable just then.
    optimizer.finalize_variable_values(variables[1:])
    np.testing.assert_allclose(np.array(variables), averages, rtol=1e-5)
    standing, _, _ = run_late({"name": name, "ema_momentum": 0.7}, late_steps=5)
    np.testing.assert_array_equal(standing._model_variables_moving_average[0], [[1.0, -2.0]])


def test_the_momentum_reaches_what_was_asked_for():
    """In the long run the averages are Keras' own, whose momentum is the same from the first step on."""
    optimizer, _, path = run_late({"name": "sgd", "ema_momentum": 0.3}, late_steps=0, steps=40)
    averages = np.array([[[1.0, -2.0]]] * 2)
    for weights in path:
        averages = 0.3 * averages + 0.7 * weights
    np.testing.assert_allclose(np.array(optimizer._model_variables_moving_average), averages, rtol=1e-4)


def test_an_average_keeps_to_the_constraint_of_its_variable():
    variable = keras.Variable(np.array([[1.2, 1.3]], np.float32))
    variable.constraint = lambda value: keras.ops.maximum(value, 1.0)
    component = {"name": "sgd", "learning_rate": 1.0, "ema_momentum": 0.5}
    optimizer = OPTIMIZERS.build(component, make_schedule=Constant, pretrained=[])
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([keras.ops.ones((1, 2))], [variable])
    np.testing.assert_array_equal(variable, [[1.0, 1.0]])
    assert np.array(optimizer._model_variables_moving_average[0]).min() > 1.0


@pytest.mark.parametrize("momentum", [0.0, 1.0])
def test_a_momentum_that_averages_nothing(momentum):
    with pytest.raises(InputError, match=f"above 0 and below 1, or null. Received: ema_momentum={momentum}"):
        run({"name": "adamw", "ema_momentum": momentum})


@pytest.mark.parametrize("kind", [ScaledSGD, ScaledAdam])
def test_an_optimizer_made_by_hand_is_complete(kind):
    variable = keras.Variable(np.array([[1.0, -2.0]], np.float32))
    optimizer = kind(RATE)
    optimizer.build([variable])
    optimizer.apply([keras.ops.convert_to_tensor(GRADIENTS[0])], [variable])
    plain = keras.Variable(np.array([[1.0, -2.0]], np.float32))
    kind.__mro__[2](RATE).apply([keras.ops.convert_to_tensor(GRADIENTS[0])], [plain])
    np.testing.assert_array_equal(variable, plain)


@pytest.mark.parametrize("kind", [ScaledSGD, ScaledAdam])
def test_the_configuration_holds_every_argument(kind):
    given = {"slow": ["v0"], "slow_rate": SHARE, "decay": DECAY, "decay_kind": "decoupled"}
    if kind is ScaledAdam:
        given |= {"late": ["v1"], "late_steps": 3}
    optimizer = kind(Constant(RATE), **given)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is kind
    assert given.items() <= again.get_config().items()
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"slow_rate": -1.0}, "slow_rate must not be negative. Received: slow_rate=-1.0"),
        ({"decay": float("nan")}, "decay must not be negative. Received: decay=nan"),
        ({"decay_kind": "l2"}, "decay_kind must be one of coupled, decoupled. Received: decay_kind='l2'"),
    ],
)
def test_wrong_arguments(option, message):
    with pytest.raises(InputError, match=message):
        ScaledSGD(RATE, **option)
