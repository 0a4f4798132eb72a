"""Every rule against updates computed by hand, on one kernel and one bias of a pre-trained and a new layer."""

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import OPTIMIZERS
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


@pytest.mark.parametrize("option", ["weight_decay", "pretrained_rate", "learning_rate"])
def test_negative_values(option):
    with pytest.raises(InputError, match=f"{option} must not be negative. Received: -1"):
        run({"name": "sgd", option: -1.0})
