import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.losses import DistillationLoss
from reid_tf.losses.distillation import similarity_divergence


@pytest.fixture
def teacher() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)


@pytest.fixture
def student() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def distribution(embeddings: np.ndarray, image: int, temperature: float) -> list[float]:
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    weights = [math.exp(float(unit[image] @ unit[i]) / temperature) for i in range(len(unit)) if i != image]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_equals_the_loop(teacher, student, temperature):
    expected = []
    for image in range(6):
        wanted, given = (distribution(embeddings, image, temperature) for embeddings in (teacher, student))
        expected.append(sum(p * math.log(p / q) for p, q in zip(wanted, given, strict=True)))
    np.testing.assert_allclose(similarity_divergence(teacher, student, temperature), expected, rtol=1e-4)


def test_it_is_zero_for_the_same_order_whatever_the_length_and_rotation(teacher):
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(9, 9)))[0].astype(np.float32)
    loss = DistillationLoss(teacher="run")
    np.testing.assert_allclose(loss.call(teacher, 3 * teacher @ rotation), np.zeros(6), atol=1e-5)
    assert np.all(np.asarray(loss.call(teacher, teacher[::-1])) > 0.01)


def test_pairs_are_one_batch_of_images(teacher, student):
    loss = DistillationLoss(teacher="run")
    pairs = loss.call(teacher.reshape(3, 2, 9), student.reshape(3, 2, 4))
    np.testing.assert_allclose(np.reshape(pairs, -1), loss.call(teacher, student), rtol=1e-5)


@pytest.mark.parametrize("images", [1, 6])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_gradients_are_finite(teacher, student, images, dtype):
    variable = tf.Variable(tf.cast(np.repeat(student[:1], images, axis=0), dtype))
    with tf.GradientTape() as tape:
        value = DistillationLoss(teacher="run")(teacher[:images], variable)
    assert value.dtype == "float32"
    assert math.isfinite(float(value))
    assert np.all(np.isfinite(tf.cast(tape.gradient(value, variable), "float32")))


def test_its_configuration_and_what_is_wrong():
    loss = DistillationLoss(teacher="runs/large", temperature=0.2)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    with pytest.raises(InputError, match=r"temperature must be above 0\. Received: temperature=0\.0"):
        DistillationLoss(teacher="runs/large", temperature=0.0)
