import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import SCHEDULES

STEPS = 10


def rates(component, epochs, learning_rate=0.05):
    """The rate of the first and the last step of each epoch."""
    schedule = SCHEDULES.build(component, learning_rate=learning_rate, steps_per_epoch=STEPS, epochs=epochs)
    return np.array([[float(schedule(epoch * STEPS + step)) for step in (0, STEPS - 1)] for epoch in range(epochs)])


def test_multitask_recipe():
    """0.05, and from epoch 40 on a tenth every 5 epochs, 60 epochs in all."""
    found = rates({"name": "step", "boundaries": [40, 45, 50, 55]}, 60)
    expected = 0.05 * 0.1 ** np.array([0] * 40 + [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5)
    np.testing.assert_allclose(found, np.stack([expected, expected], axis=1), rtol=1e-5)


def test_constant_warm_up_is_a_tenth_for_five_epochs():
    found = rates({"name": "step", "boundaries": [6], "warmup_epochs": 5}, 8)
    np.testing.assert_allclose(found[:, 0], [0.005] * 5 + [0.05] + [0.005] * 2, rtol=1e-5)


def test_linear_warm_up_grows_to_the_rate():
    found = rates({"name": "constant", "warmup_epochs": 2, "warmup_factor": 0.5}, 4, learning_rate=1.0)
    np.testing.assert_allclose(found[:, 0], [0.5, 0.75, 1.0, 1.0], rtol=1e-6)


def test_cosine_against_its_formula():
    found = rates({"name": "cosine", "final_factor": 0.1}, 20, learning_rate=2.0)
    epochs = np.arange(20)
    expected = 2.0 * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * epochs / 20)))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"name": "step", "boundaries": [45, 40]}, r"must ascend. Received: \[45, 40\]"),
        ({"name": "constant", "warmup_epochs": 1, "warmup_factor": 0.0}, r"in \(0, 1\]. Received: 0.0"),
    ],
)
def test_wrong_options(component, message):
    with pytest.raises(InputError, match=message):
        rates(component, 1)


@pytest.mark.parametrize("component", [{"name": "step", "warmup_epochs": 1}, {"name": "cosine", "warmup_epochs": 1}])
def test_schedules_survive_serialisation(component):
    schedule = SCHEDULES.build(component, learning_rate=0.5, steps_per_epoch=STEPS, epochs=3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    for step in (0, 5, 15):
        assert float(again(step)) == pytest.approx(float(schedule(step)), rel=1e-6)
