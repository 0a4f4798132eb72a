"""A folded model against the model itself, its normalisations in the state that training leaves them in."""

import keras
import numpy as np
import pytest
from keras import layers

from reid_tf.backbones.folding import fold_normalization
from reid_tf.registry import BACKBONES


def trained(model: keras.Model) -> keras.Model:
    """The model with weights that no initializer gives: each scale, shift and statistic matters."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            trained(layer)
        elif isinstance(layer, layers.BatchNormalization) or getattr(layer, "use_bias", False):
            weights = layer.get_weights()
            layer.set_weights([generator.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in weights])
    return model


def normalizations(model: keras.Model) -> list[str]:
    return [layer.name for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]


def assert_same_function(folded: keras.Model, model: keras.Model) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, *model.input_shape[1:]), np.uint8)
    ours, expected = (np.asarray(one(images, training=False)) for one in (folded, model))
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "component",
    [{"name": "resnet18", "width": 4}, {"name": "osnet_x0_25"}, {"name": "tiny", "width": 4}],
    ids=lambda component: component["name"],
)
def test_backbones_lose_all_normalizations_and_keep_their_function(component):
    model = trained(BACKBONES.build(component, image_size=(32, 32)))
    before = model.get_weights()
    folded = fold_normalization(model)
    assert len(normalizations(model)) > 3
    assert normalizations(folded) == []
    assert_same_function(folded, model)
    np.testing.assert_equal(model.get_weights(), before)


def test_biases_multipliers_missing_scales_and_nested_models():
    inner = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.BatchNormalization(center=False),
            layers.Conv2D(6, 1, groups=3, use_bias=False),
            layers.BatchNormalization(scale=False, axis=3),
        ]
    )
    image = keras.Input((6, 5, 3))
    pooled = keras.ops.mean(inner(image), (1, 2))
    model = trained(keras.Model(image, layers.BatchNormalization()(layers.Dense(4)(pooled))))
    folded = fold_normalization(model)
    assert normalizations(folded) == []
    assert_same_function(folded, model)
    assert_same_function(fold_normalization(inner), inner)


def test_what_cannot_be_folded_stays():
    image = keras.Input((8, 8, 3))
    first = layers.BatchNormalization(name="of_the_image")(image)
    active = layers.BatchNormalization(name="of_an_activation")(layers.Conv2D(4, 3, activation="relu")(first))
    shared = layers.Conv2D(4, 3, padding="same")
    twice = layers.BatchNormalization(name="of_a_shared_layer")(shared(shared(active)))
    seen = layers.Conv2D(4, 1)(twice)
    both = layers.Add()([seen, layers.BatchNormalization(name="of_features_used_elsewhere")(seen)])
    rows = layers.BatchNormalization(axis=1, name="of_rows")(layers.Conv2D(4, 1)(both))
    model = trained(keras.Model(image, layers.BatchNormalization(name="folded")(layers.Conv2D(4, 1)(rows))))
    folded = fold_normalization(model)
    assert set(normalizations(model)) - set(normalizations(folded)) == {"folded"}
    assert_same_function(folded, model)


def test_named_inputs_and_outputs_and_a_file(tmp_path):
    image = keras.Input((8, 8, 3), name="image")
    seen = layers.Conv2D(4, 1)(image)
    outputs = {"embedding": layers.BatchNormalization()(seen), "seen": seen}
    model = trained(keras.Model({"image": image}, outputs))
    folded = fold_normalization(model)
    assert len(normalizations(folded)) == 1  # its input is an output, too
    folded.save(tmp_path / "folded.keras")
    batch = {"image": np.random.default_rng(1).uniform(size=(2, 8, 8, 3))}
    loaded = keras.saving.load_model(tmp_path / "folded.keras")(batch)
    assert set(loaded) == set(outputs)
    np.testing.assert_allclose(loaded["embedding"], model(batch)["embedding"], rtol=1e-5, atol=1e-5)
