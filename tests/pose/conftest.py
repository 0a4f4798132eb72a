"""A model file in MoveNet's form."""

from pathlib import Path

import pytest
import tensorflow as tf

SIDE = 48


def convert(function, dtype=tf.uint8) -> bytes:
    """Returns a TensorFlow Lite file of a function of [1, SIDE, SIDE, 3]."""
    concrete = tf.function(function, input_signature=[tf.TensorSpec([1, SIDE, SIDE, 3], dtype)]).get_concrete_function()
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())


@pytest.fixture(scope="session")
def dot_finder(tmp_path_factory) -> Path:
    """A "MoveNet" that sees all 17 points in the white pixel of its square, with its own numbers as scores."""

    def find(square):
        bright = tf.reduce_sum(tf.cast(square, tf.float32), axis=(0, 3))  # [SIDE, SIDE]
        y = tf.argmax(tf.reduce_sum(bright, axis=1), output_type=tf.int32)
        x = tf.argmax(tf.reduce_sum(bright, axis=0), output_type=tf.int32)
        place = (tf.cast(tf.stack([y, x]), tf.float32) + 0.5) / SIDE
        scores = tf.range(17, dtype=tf.float32)[:, tf.newaxis] / 20
        return tf.concat([tf.tile(place[tf.newaxis], [17, 1]), scores], axis=1)[tf.newaxis, tf.newaxis]

    path = tmp_path_factory.mktemp("model") / "dots.tflite"
    path.write_bytes(convert(find))
    return path


@pytest.fixture(scope="session")
def other_model(tmp_path_factory) -> Path:
    """A TensorFlow Lite file of another model."""
    path = tmp_path_factory.mktemp("model") / "other.tflite"
    path.write_bytes(convert(lambda square: tf.reduce_mean(tf.cast(square, tf.float32), axis=(1, 2))))
    return path
