"""Residual networks against Keras' own, with random weights and random normalisation statistics."""

import keras
import numpy as np
import pytest

from reid_tf.backbones.resnet import convert_keras_resnet, resnet50
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

IMAGE_SIZE = (64, 32)


def randomise(model: keras.Model) -> None:
    """Draws every weight: biases that are not 0, scales and statistics that are not 1, variances above 0."""
    generator = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif variable.name in ("beta", "bias", "moving_mean"):
            variable.assign(generator.normal(0, 0.5, variable.shape))


@pytest.fixture(scope="module")
def keras_resnet50() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(*IMAGE_SIZE, 3))
    randomise(model)
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, *IMAGE_SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def keras_features(keras_resnet50, images) -> np.ndarray:
    return np.asarray(keras_resnet50(keras.applications.resnet.preprocess_input(images.astype(np.float32))))


def test_features_equal_keras_with_converted_weights(keras_resnet50, images, keras_features):
    model = resnet50(IMAGE_SIZE)
    convert_keras_resnet(keras_resnet50, model)
    difference = np.abs(np.asarray(model(images)) - keras_features)
    assert difference.max() < 1e-4 * np.abs(keras_features).max()


@pytest.mark.parametrize("include_top", [False, True])
def test_keras_file_with_and_without_its_classifier(keras_resnet50, images, keras_features, tmp_path, include_top):
    source = keras_resnet50
    if include_top:
        pooled = keras.layers.GlobalAveragePooling2D(name="avg_pool")(source.output)
        source = keras.Model(source.input, keras.layers.Dense(1000, name="predictions")(pooled))
    source.save(tmp_path / "resnet50.h5")
    model = resnet50(IMAGE_SIZE, weights=str(tmp_path / "resnet50.h5"))
    difference = np.abs(np.asarray(model(images)) - keras_features)
    assert difference.max() < 1e-4 * np.abs(keras_features).max()


@pytest.mark.parametrize(
    ("stride_on", "last_stride", "first", "second", "output", "order"),
    [("1x1", 2, (2, 2), (1, 1), (2, 1), "bgr"), ("3x3", 1, (1, 1), (2, 2), (4, 2), "rgb")],
)
def test_strides_and_the_input_of_their_weights(stride_on, last_stride, first, second, output, order):
    model = resnet50(IMAGE_SIZE, stride_on=stride_on, last_stride=last_stride)
    assert model.get_layer("conv3_block1_1_conv").strides == first
    assert model.get_layer("conv3_block1_2_conv").strides == second
    assert model.get_layer("conv3_block1_0_conv").strides == (2, 2)
    assert model.output_shape[1:3] == output
    assert model.get_layer("preprocessing").channel_order == order


def test_imagenet_weights_with_the_stride_on_3x3_are_refused():
    with pytest.raises(InputError, match=r"'resnet50': set stride_on: 1x1\. Received: stride_on='3x3'\.$"):
        resnet50(IMAGE_SIZE, stride_on="3x3", weights="imagenet")


@pytest.mark.parametrize("name", ["resnet50", "resnet101", "res2net50", "res2net101"])
def test_a_deep_network_of_a_quarter_of_the_channels(name):
    narrow = BACKBONES.build({"name": name, "width": 16}, image_size=IMAGE_SIZE)
    assert narrow.output_shape[-1] == 512
    assert narrow.get_layer("stage2").output.shape[-1] == 64
    with pytest.raises(InputError, match="'width' .*must be at least 1. Received: 0"):
        BACKBONES.build({"name": name, "width": 0}, image_size=IMAGE_SIZE)
