"""Keras' own networks: their features, the preprocessing that their weights expect, and where they can be parted."""

import sys

import keras
import numpy as np
import pytest

from reid_tf.backbones.keras_application import APPLICATIONS, PREPROCESSING, _preprocessing
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

SIZE = (96, 64)
# One of each kind, narrow where it can be: how it normalises, what stands around its blocks.
SMALL = {"MobileNet": {"alpha": 0.25}, "MobileNetV2": {"alpha": 0.35}, "MobileNetV3Small": {"minimalistic": True}}


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)


def build(application, size=SIZE, **options):
    component = {"name": "keras_application", "application": application, **options}
    return BACKBONES.build(component, image_size=size)


@pytest.mark.parametrize("application", ["MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0"])
def test_features_are_those_of_keras(application, images):
    options = SMALL.get(application, {})
    model = build(application, options=options)
    keras.utils.clear_session()
    source = APPLICATIONS[application](include_top=False, weights=None, input_shape=(*SIZE, 3), **options)
    ours = {layer.name: layer for layer in model.layers}
    for layer in source.layers:
        layer.set_weights(ours[layer.name].get_weights() if layer.name in ours else [])
    module = sys.modules[APPLICATIONS[application].__module__]
    expected = np.asarray(source(module.preprocess_input(images.astype(np.float32))))
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("application", sorted(APPLICATIONS))
def test_the_first_layer_does_what_keras_says_the_weights_expect(application, images):
    module = sys.modules[APPLICATIONS[application].__module__]
    if application.endswith("V2") and application.startswith("ResNet"):
        module = keras.applications.resnet_v2
    expected = module.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(_preprocessing(application)(images), expected, rtol=1e-4, atol=1e-2)


def test_the_longer_beginning_decides():
    starts = list(PREPROCESSING)
    for place, start in enumerate(starts):
        assert not any(later.startswith(start) for later in starts[place + 1 :]), start


@pytest.mark.parametrize(
    ("application", "size", "channels"),
    [
        ("ResNet50", (64, 32), (64, 256, 512, 1024, 2048)),
        ("DenseNet121", (64, 32), (64, 128, 256, 512, 1024)),
        ("EfficientNetV2B0", (64, 32), (16, 32, 192, 672, 1280)),
        ("ConvNeXtTiny", (64, 32), (96, 192, 384, 768)),
        ("Xception", (75, 75), (64, 128, 256, 728, 2048)),
        ("NASNetMobile", (64, 32), (32, 1056)),
    ],
)
def test_stages_end_where_everything_goes_through(application, size, channels):
    model = build(application, size)
    stages = [layer for layer in model.layers if layer.name.startswith("stage")]
    assert tuple(stage.output.shape[-1] for stage in stages) == channels
    heights = [stage.output.shape[1] for stage in stages]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] < size[0]
    for stage in stages[:-1]:
        keras.Model(stage.output, model.output)  # which Keras refuses where there is a way around


def test_an_image_keeps_its_greys_in_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("MobileNetV3Small", options=SMALL["MobileNetV3Small"])
    finally:
        keras.config.set_dtype_policy("float32")
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling))
    below = keras.Model(model.input, first.output)
    grey = np.stack([np.full((*SIZE, 3), value, np.uint8) for value in (200, 201)])
    received = np.asarray(below(grey))[:, 0, 0, 0]
    np.testing.assert_allclose(received, [200 / 127.5 - 1, 201 / 127.5 - 1], rtol=1e-6)
    assert model.output.dtype == "bfloat16"


def test_a_weights_file_of_its_own(tmp_path, images):
    model = build("MobileNetV2", options={"alpha": 0.35})
    model.save_weights(tmp_path / "a.weights.h5")
    again = build("MobileNetV2", options={"alpha": 0.35}, weights=str(tmp_path / "a.weights.h5"))
    np.testing.assert_array_equal(again(images), model(images))
    with pytest.raises(InputError, match="does not fit the backbone 'keras_application'"):
        build("MobileNetV2", options={"alpha": 0.5}, weights=str(tmp_path / "a.weights.h5"))


def test_weights_that_cannot_be_fetched(monkeypatch):
    def unreachable(include_top=True, weights="imagenet", input_tensor=None, alpha=1.0):
        raise Exception("URL fetch failure on https://example.org/a.h5: None -- no network")

    monkeypatch.setitem(APPLICATIONS, "MobileNetV2", unreachable)
    message = (
        r"weights of Keras' MobileNetV2 could not be fetched \(.*example\.org/a\.h5.*put the file .* weights: null"
    )
    with pytest.raises(InputError, match=message):
        build("MobileNetV2", weights="imagenet")


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"application": "MobileNetV4"}, "Unknown application of Keras: 'MobileNetV4'. Did you mean 'MobileNetV"),
        ({"application": "MobileNetV2", "options": {"alhpa": 1}}, "'alhpa'. Did you mean 'alpha'"),
        ({"application": "MobileNetV2", "options": {"include_top": True}}, "Keras' MobileNetV2: 'include_top'.*alpha"),
        ({"application": "MobileNetV2", "options": {"alpha": "wide"}}, r"refuses its options .*\{'alpha': 'wide'\}"),
        ({"application": "MobileNetV2", "weights": "imagnet"}, "no weights file 'imagnet'"),
        ({}, "needs the option 'application'"),
    ],
)
def test_what_is_wrong_is_named(component, message):
    with pytest.raises(InputError, match=message):
        BACKBONES.build({"name": "keras_application", **component}, image_size=SIZE)


def test_inception_takes_larger_images():
    with pytest.raises(InputError, match=r"at least 75 x 75 .*image_size=\(64, 32\)"):
        build("InceptionV3", (64, 32))
