"""VGG against Keras' own layout: names, order of the flattened map, and files."""

import keras
import numpy as np
import pytest
from keras import layers

from reid_tf.backbones.vgg import KERAS_VGG16, convert_keras_vgg, vgg
from reid_tf.backbones.weights.load import PublishedWeights, load_weights
from reid_tf.errors import InputError

STRUCTURE = {"stackwise_num_convolutions": (2, 2, 3, 3, 3), "stackwise_channels": (4, 4, 6, 8, 8)}


def narrow_keras_vgg(include_top: bool = True, weights: str | None = None) -> keras.Model:
    """Keras' VGG-16 with fewer channels, fc layers of 12 and 5 classes; reads files as the applications do."""
    image = features = keras.Input((224, 224, 3))
    stacks = zip(STRUCTURE["stackwise_num_convolutions"], STRUCTURE["stackwise_channels"], strict=True)
    for stack, (num_convolutions, channels) in enumerate(stacks, start=1):
        for index in range(1, num_convolutions + 1):
            name = f"block{stack}_conv{index}"
            features = layers.Conv2D(channels, 3, padding="same", activation="relu", name=name)(features)
        features = layers.MaxPooling2D(2, name=f"block{stack}_pool")(features)
    if include_top:
        features = layers.Flatten(name="flatten")(features)
        features = layers.Dense(12, activation="relu", name="fc1")(features)
        features = layers.Dense(12, activation="relu", name="fc2")(features)
        features = layers.Dense(5, activation="softmax", name="predictions")(features)
    model = keras.Model(image, features)
    if weights is not None:
        model.load_weights(weights)
    return model


PUBLISHED = PublishedWeights(narrow_keras_vgg, convert_keras_vgg, fully_connected=True)


def narrow_vgg() -> keras.Model:
    return vgg((224, 224), name="vgg16", fully_connected_channels=12, dropout=0.5, **STRUCTURE)


@pytest.fixture(scope="module")
def source() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = narrow_keras_vgg()
    generator = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name == "bias":
            variable.assign(generator.normal(0, 0.1, variable.shape))
    return model


def test_file_of_keras_gives_the_same_fc7(source, tmp_path):
    source.save(tmp_path / "vgg16.h5")
    model = load_weights(narrow_vgg(), str(tmp_path / "vgg16.h5"), PUBLISHED)
    images = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), np.uint8)
    expected = keras.Model(source.input, source.get_layer("fc2").output)(
        keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    )
    assert np.any(np.asarray(expected) > 0)
    np.testing.assert_allclose(np.asarray(model(images))[:, 0, 0], expected, rtol=1e-4, atol=1e-4)


def test_file_without_the_fully_connected_layers_is_refused(tmp_path):
    narrow_keras_vgg(include_top=False).save(tmp_path / "vgg16_notop.h5")
    with pytest.raises(InputError, match=r"vgg16_notop\.h5.*lacks the fully connected layers.*'vgg16'"):
        load_weights(narrow_vgg(), str(tmp_path / "vgg16_notop.h5"), PUBLISHED)


def test_convolutions_bear_the_names_of_keras():
    theirs = keras.applications.VGG16(include_top=False, weights=None)
    names = {layer.name for layer in theirs.layers if isinstance(layer, layers.Conv2D)}
    assert {layer.name for layer in narrow_vgg().layers if isinstance(layer, layers.Conv2D)} == names | {"fc6", "fc7"}
    assert KERAS_VGG16.application is keras.applications.VGG16
