import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.keras_layer import COLOUR, MOVING
from reid_tf.registry import AUGMENTATIONS

SEED = [1, 2]
# Options without which a layer does nothing, or does not exist.
NEEDED = {
    **{
        name: {"factor": 0.5} for name in ("RandomBrightness", "RandomColorDegeneration", "RandomContrast", "RandomHue")
    },
    **{name: {"factor": 0.5} for name in ("RandomInvert", "RandomRotation", "RandomSaturation", "RandomSharpness")},
    "RandomColorJitter": {"brightness_factor": 0.3, "hue_factor": 0.3},
    "RandomPosterization": {"factor": 3},
    "RandomShear": {"x_factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.3},
}


@pytest.fixture
def images() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).integers(0, 256, (6, 24, 12, 3)), tf.float32)


def build(layer, **options):
    return AUGMENTATIONS.build({"name": "keras_layer", "layer": layer, **options}, image_size=(24, 12))


def applied(augmentation, images, seeds=(SEED,)) -> np.ndarray:
    """In a pipeline, as a training does; by each of the seeds, or by one alone."""
    dataset = tf.data.Dataset.from_tensor_slices(list(seeds))
    changed = list(dataset.map(lambda seed: augmentation({"image": images}, seed)["image"]).as_numpy_iterator())
    return np.stack(changed) if len(seeds) > 1 else changed[0]


@pytest.mark.parametrize("layer", COLOUR + MOVING)
def test_every_layer_keeps_form_and_range_and_follows_the_seed(layer, images):
    needed = NEEDED.get(layer, {})
    augmentation = build(layer, options=needed)
    first, *others = applied(augmentation, images, [SEED, *([1, number] for number in range(3, 9))])
    again = applied(build(layer, options=needed), images)
    assert first.shape == images.shape
    assert 0.0 <= first.min() <= first.max() <= 255.0
    np.testing.assert_array_equal(first, again)
    if layer not in ("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "Solarization"):
        assert any(not np.array_equal(first, other) for other in others), "nothing is drawn"
    assert any(not np.array_equal(images, changed) for changed in (first, *others)), "nothing changes"


def test_seeds_that_the_graph_knows_later_draw_different_numbers(images):
    augmentation = build("RandomGrayscale", options={"factor": 0.5})
    seeds = tf.data.Dataset.from_tensor_slices([[1, n] for n in range(64)])
    one = images[:1]
    grey = [
        bool(np.all(np.ptp(image, axis=-1) < 1e-3))
        for image in seeds.map(lambda seed: augmentation({"image": one}, seed)["image"]).as_numpy_iterator()
    ]
    assert 16 < sum(grey) < 48


def test_the_probability_is_each_images(images):
    many = tf.repeat(images[:1], 400, axis=0)
    inverted = {"layer": "RandomInvert", "options": {"factor": [1.0, 1.0]}}
    changed = applied(build(**inverted, probability=0.25), many)
    share = np.mean([not np.array_equal(image, images[0]) for image in changed])
    assert share == pytest.approx(0.25, abs=0.08)
    np.testing.assert_array_equal(
        applied(build("RandomInvert", options={"factor": [1.0, 1.0]}, probability=0.0), many), many
    )


def test_grey_is_what_keras_makes_it(images):
    grey = applied(build("RandomGrayscale", options={"factor": 1.0}), images)
    expected = keras.layers.RandomGrayscale(factor=1.0)(images, training=True)
    np.testing.assert_allclose(grey, expected, rtol=1e-5)


def test_landmarks_need_layers_that_move_nothing(image_batch):
    batch = {key: tf.constant(value) for key, value in image_batch.items()}
    assert set(build("RandomHue", options={"factor": 0.2})(batch, tf.constant(SEED))) == {"image", "landmarks"}
    with pytest.raises(InputError, match=r"'RandAugment' moves pixels, and landmarks would not follow; .*RandomHue"):
        build("RandAugment")(batch, tf.constant(SEED))


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"layer": "RandAugmnt"}, "Unknown augmentation layer of Keras: 'RandAugmnt'. Did you mean 'RandAugment'"),
        ({"layer": "MixUp"}, "Unknown augmentation layer of Keras: 'MixUp'"),
        ({"layer": "RandomCrop"}, "Unknown augmentation layer of Keras: 'RandomCrop'"),
        ({"layer": "RandomHue", "options": {"strength": 1}}, r"'RandomHue' refuses its options .*\{'strength': 1\}"),
        ({"layer": "RandomHue", "options": {"factor": 7.0}}, r"'RandomHue' refuses its options .*'factor': 7"),
        ({"layer": "RandomHue", "probability": 1.5}, r"probability of keras_layer .*Received: 1\.5"),
        ({}, "needs the option 'layer'"),
    ],
)
def test_what_is_wrong_is_named(component, message):
    with pytest.raises(InputError, match=message):
        AUGMENTATIONS.build({"name": "keras_layer", **component}, image_size=(24, 12))
