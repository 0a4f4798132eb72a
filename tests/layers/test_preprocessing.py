"""The first layer of a backbone against NumPy and Keras' own preprocessing."""

import inspect

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.layers.preprocessing import ChannelNormalization, caffe_normalization, imagenet_normalization


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)


def test_rgb_normalization_equals_numpy(images):
    expected = (images.astype(np.float64) - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    np.testing.assert_allclose(imagenet_normalization()(images), expected, atol=1e-5)


def test_imagenet_normalization_equals_keras_torch_mode(images):
    expected = keras.applications.imagenet_utils.preprocess_input(images.astype(np.float32), mode="torch")
    np.testing.assert_allclose(imagenet_normalization()(images), expected, atol=1e-5)


def test_caffe_normalization_equals_keras_resnet_and_vgg(images):
    for module in (keras.applications.resnet, keras.applications.vgg16):
        expected = module.preprocess_input(images.astype(np.float32).copy())
        np.testing.assert_allclose(caffe_normalization()(images), expected, atol=1e-5)


def test_mean_is_given_in_the_order_of_the_result():
    red = np.array([200, 0, 0], np.uint8).reshape(1, 1, 1, 3)
    result = ChannelNormalization((1, 2, 3), channel_order="bgr")(red)
    np.testing.assert_allclose(np.ravel(result), [-1, -2, 197])


def test_uint8_and_float_images_agree(images):
    layer = imagenet_normalization()
    np.testing.assert_array_equal(layer(images), layer(images.astype(np.float32)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_rounds_after_the_subtraction(policy):
    # 200.3 is 200 in bfloat16: rounded before the subtraction, the result would be 0.3 off instead of 0.001.
    image = np.full((1, 2, 2, 3), 200.3, np.float32)
    layer = ChannelNormalization((200.0, 200.0, 200.0), dtype=policy)
    inner = keras.Sequential([keras.Input((2, 2, 3)), layer])
    nested = keras.Sequential([keras.Input((2, 2, 3)), inner])
    for model in (inner, nested):
        result = model(image)
        assert keras.backend.standardize_dtype(result.dtype) == layer.compute_dtype
        np.testing.assert_allclose(np.asarray(result).astype(np.float32), 0.3, atol=2e-3)


def test_configuration_names_every_argument_and_round_trips(images):
    layer = caffe_normalization()
    arguments = set(inspect.signature(ChannelNormalization.__init__).parameters) - {"self", "kwargs"}
    assert arguments <= set(layer.get_config())
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (copy.mean, copy.standard_deviation, copy.channel_order) == ((103.939, 116.779, 123.68), (1, 1, 1), "bgr")
    np.testing.assert_array_equal(copy(images), layer(images))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": (1, 2)}, r"3 numbers.*mean=\(1, 2\)"),
        ({"mean": (1, 2, 3), "standard_deviation": (1, 0, 1)}, r"above 0.*\(1, 0, 1\)"),
        ({"mean": (1, 2, 3), "standard_deviation": (1, 1)}, r"3 numbers above 0.*\(1, 1\)"),
        ({"mean": (1, 2, 3), "channel_order": "grb"}, "'rgb', 'bgr'.*'grb'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        ChannelNormalization(**arguments)
