"""What every registered backbone promises, and the published sizes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.backbones.common import smallest_image
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

# The smallest image that a backbone takes as it is, and options that make it cheap. A backbone missing here runs as it
# is at 32x32.
SMALLEST = {
    "alexnet": (224, 224),
    "caffenet": (227, 227),
    "vgg16": (224, 224),
    "tiny": (16, 16),
    "osnet": (16, 16),
    "pose_inception": (43, 39),
    "vgg_front": (8, 8),
}
CHEAP = {
    "alexnet": {"width_multiplier": 0.05},
    "caffenet": {"width_multiplier": 0.05},
    "vgg16": {"width_multiplier": 0.05},
    "resnet18": {"width": 8},
    "resnet26": {"width": 8},
    "resnet18_ibn_b": {"width": 8},
    "resnet50_ibn_a": {"width": 8},
    "keras_application": {"application": "VGG16"},
    "mobilenet_v2": {"width_multiplier": 0.25},
    "efficientnet_lite0": {"width_multiplier": 0.25},
    "res2net26": {"width": 8},
    "pose_inception": {"width": 0.25},
    "vgg_front": {"stackwise_channels": [4, 8, 8, 8]},
}
ENLARGING = ("alexnet", "caffenet", "vgg16")  # instead of refusing a smaller image
# Deeper or wider forms of the one named beside them, which alone is built here.
SIBLINGS = {
    "res2net50": "res2net26",
    "res2net101": "res2net26",
    "resnet101": "resnet50",
    "efficientnet_lite1": "efficientnet_lite0",
    "efficientnet_lite2": "efficientnet_lite0",
    "osnet_x0_5": "osnet_x0_25",
    "osnet_x0_75": "osnet_x0_25",
    "osnet_x1_0": "osnet_x0_25",
    "keras_hub": "a package of its own, tested in test_keras_hub.py",
}

every_architecture = pytest.mark.parametrize("name", [name for name in BACKBONES.names() if name not in SIBLINGS])


def smallest(name: str) -> tuple[int, int]:
    return SMALLEST.get(name.partition("_x")[0], (32, 32))  # osnet_x0_25 is an osnet


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    height, width = smallest(name)
    return BACKBONES.build({"name": name, **CHEAP.get(name, {})}, image_size=(max(32, height), max(32, width)))


built = functools.cache(build)  # one for all tests that only look


def images_for(model: keras.Model, count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, *model.input_shape[1:]), np.uint8)


@every_architecture
def test_input_preprocessing_and_stages(name):
    model = built(name)
    assert model.name == name
    assert [tensor.name for tensor in model.inputs] == ["image"]
    assert model.layers[1].name == "preprocessing"
    stages = [layer for layer in model.layers if layer.name.startswith("stage")]
    assert [stage.name for stage in stages] == [f"stage{i}" for i in range(1, len(stages) + 1)]
    assert stages[-1].output is model.output
    assert len(model.output_shape) == 4
    assert len({variable.path for variable in model.weights}) == len(model.weights)


@every_architecture
def test_forks_after_a_stage(name):
    model = built(name)
    images = images_for(model, 1)
    stages = [layer.name for layer in model.layers if layer.name.startswith("stage")]
    expected = model(images)
    for stage in (stages[0], stages[-2]):
        output = model.get_layer(stage).output
        below, above = keras.Model(model.input, output), keras.Model(output, model.output)
        np.testing.assert_allclose(above(below(images)), expected, rtol=1e-4, atol=1e-4)


@every_architecture
def test_uint8_images_equal_float_images(name):
    model = built(name)
    images = images_for(model)
    expected = np.asarray(model(images.astype(np.float32)))
    assert np.all(np.isfinite(expected))
    assert np.ptp(expected) > 0
    np.testing.assert_array_equal(model(images), expected)


@every_architecture
def test_every_trainable_variable_gets_a_finite_gradient(name):
    model = build(name)
    images = tf.cast(images_for(model, 4), tf.float32)
    with tf.GradientTape() as tape:
        features = model(images, training=True)
        loss = tf.reduce_mean(features * tf.random.stateless_normal(tf.shape(features), (1, 2)))
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, [v.value for v in model.trainable_variables]), strict=True
    ):
        assert gradient is not None, variable.path
        assert np.all(np.isfinite(gradient)), variable.path
        # A gate squeezes to one or two units, whose ReLU may begin dead; every other weight must begin to learn.
        assert np.any(gradient) or "_gate_" in variable.path, variable.path


@every_architecture
def test_keras_file_gives_the_same_features(name, tmp_path):
    model = built(name)
    images = images_for(model, 1)
    model.save(tmp_path / "backbone.keras")
    loaded = keras.saving.load_model(tmp_path / "backbone.keras")
    np.testing.assert_array_equal(loaded(images), model(images))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("name", [name for name in BACKBONES.names() if name not in (*ENLARGING, "keras_hub")])
def test_image_too_small_is_named_with_the_minimum(name):
    height, width = smallest(name)
    for size in ((height, width - 1), (height - 1, width)):
        received = rf"image_size=\({size[0]}, {size[1]}\)"
        with pytest.raises(InputError, match=rf"{name}.*at least {height} x {width} .*{received}"):
            BACKBONES.build({"name": name, **CHEAP.get(name, {})}, image_size=size)


@pytest.mark.parametrize("name", ENLARGING)
def test_a_smaller_image_is_enlarged_to_the_smallest(name):
    height, width = smallest(name)
    small = BACKBONES.build({"name": name, **CHEAP[name]}, image_size=(128, width))
    whole = BACKBONES.build({"name": name, **CHEAP[name]}, image_size=(height, width))
    whole.set_weights(small.get_weights())
    images = images_for(small, 1).astype(np.float32)
    enlarged = tf.image.resize(images, (height, width), "bilinear")
    expected = np.asarray(whole(enlarged))
    np.testing.assert_allclose(small(images), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@every_architecture
def test_smallest_image_leaves_a_map(name):
    model = BACKBONES.build({"name": name, **CHEAP.get(name, {})}, image_size=smallest(name))
    assert model.output_shape[1:3] == (1, 1)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@every_architecture
def test_half_precision(name, policy):
    expected = built(name)
    images = images_for(expected, 1)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy(before)
    features = model(images)
    assert keras.backend.standardize_dtype(features.dtype) == policy.removeprefix("mixed_")
    features, expected = np.asarray(features).astype(np.float32), np.asarray(expected(images))
    assert np.linalg.norm(features - expected) < 0.1 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"name": "resnet5"}, "Unknown backbone: 'resnet5'.*Did you mean 'resnet50'"),
        ({"name": "resnet50", "last_strid": 1}, "Unknown option.*'last_strid'.*Did you mean 'last_stride'"),
        ({"name": "resnet50", "last_stride": 3}, "'last_stride' of the backbone 'resnet50'.*Received: 3"),
        ({"name": "resnet18", "stem": "heavy"}, "'stem'.*'imagenet' or 'light'.*Received: 'heavy'"),
        ({"name": "tiny", "width": "wide"}, "'width'.*integer.*Received: 'wide'"),
    ],
)
def test_registry_names_a_wrong_option(component, message):
    with pytest.raises(InputError, match=message):
        BACKBONES.build(component, image_size=(128, 64))


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"name": "tiny", "width": 0}, "'width' .* at least 1. Received: 0"),
        ({"name": "resnet18", "width": -8}, "'width' .* at least 1. Received: -8"),
        ({"name": "pose_inception", "width": 0.0}, "above 0.*width=0.0"),
        ({"name": "mobilenet_v2", "width_multiplier": -1.0}, "above 0.*width_multiplier=-1.0"),
        ({"name": "efficientnet_lite1", "width_multiplier": 0.0}, "above 0.*width_multiplier=0.0"),
        ({"name": "caffenet", "width_multiplier": 0.0}, "above 0.*width_multiplier=0.0"),
        ({"name": "vgg_front", "stackwise_channels": [4, 8]}, r"channels for each.*stackwise_channels=\(4, 8\)"),
        (
            {"name": "vgg_front", "stackwise_num_convolutions": [0] * 4},
            "convolutions' .* at least 1. Received: 0",
        ),
        ({"name": "vgg16", "dropout": 1.0, "width_multiplier": 0.05}, "dropout.*below 1.*dropout=1.0"),
        ({"name": "caffenet", "dropout": -0.1, "width_multiplier": 0.05}, "dropout.*at least 0.*dropout=-0.1"),
    ],
)
def test_option_out_of_range_is_named(component, message):
    with pytest.raises(InputError, match=message):
        BACKBONES.build(component, image_size=(227, 227))


@pytest.mark.parametrize(
    ("windows", "output"), [([(11, 4), (3, 2), (3, 2), (3, 2)], 6), ([(2, 2)] * 5, 7), ([(3, 1), (5, 3)], 2), ([], 4)]
)
def test_smallest_image_by_trying_all(windows, output):
    def positions(size: int) -> int:
        for kernel_size, stride in windows:
            size = (size - kernel_size) // stride + 1
        return size

    tried = next(size for size in range(1, 1000) if positions(size) >= output)
    assert smallest_image(output, windows) == tried
