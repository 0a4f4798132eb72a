"""KerasHub's networks from presets in folders: maps of tokens, what is refused, and the sentence without KerasHub."""

import importlib.util

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

SIZE = (64, 32)
installed = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="KerasHub is absent: reid_tf[hub]")


def build(preset, size=SIZE, **options):
    return BACKBONES.build({"name": "keras_hub", "preset": str(preset), **options}, image_size=size)


def make(kind: str, shape=(*SIZE, 3)):
    models = importlib.import_module("keras_hub").models
    small = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "patch_size": 16, "image_shape": shape}
    makers = {
        "vit": lambda: models.ViTBackbone(**small, mlp_dim=16),
        "deit": lambda: models.DeiTBackbone(**small, intermediate_dim=16),
        "swin": lambda: models.SwinTransformerBackbone(
            image_shape=shape, embed_dim=16, depths=[1, 1], num_heads=[1, 2], window_size=4
        ),
        "dinov2": lambda: models.DINOV2Backbone(
            **{**small, "patch_size": 14, "image_shape": (28, 28, 3)},
            intermediate_dim=16,
            position_embedding_shape=(28, 28, 3),
        ),
    }
    return makers[kind]()


@installed
@pytest.mark.parametrize(("kind", "grid", "dim"), [("vit", (4, 2), 16), ("deit", (4, 2), 16), ("swin", (8, 4), 32)])
def test_tokens_become_a_map_in_their_order(kind, grid, dim, tmp_path):
    keras.utils.set_random_seed(0)
    network = make(kind)
    network.save_to_preset(tmp_path / kind)
    model = build(tmp_path / kind, weights=None)
    assert model.output_shape[1:] == (*grid, dim)
    assert (model.name, model.layers[1].name, model.layers[-1].name) == ("keras_hub", "preprocessing", "stage1")
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    tokens = np.asarray(inner(model.layers[1](images)))
    kept = tokens[:, tokens.shape[1] - grid[0] * grid[1] :]
    np.testing.assert_allclose(np.asarray(model(images)).reshape(kept.shape), kept, rtol=1e-5, atol=1e-6)


@installed
def test_the_presets_own_weights_and_what_they_expect(tmp_path):
    hub, network = importlib.import_module("keras_hub"), make("vit")
    network.save_to_preset(tmp_path)
    hub.layers.ViTImageConverter(image_size=SIZE, scale=[1 / 100, 1 / 50, 1 / 25], offset=-0.5).save_to_preset(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    expected = network((images * [1 / 100, 1 / 50, 1 / 25] - 0.5).astype(np.float32))[:, 1:]
    received = np.asarray(build(tmp_path, weights="preset")(images))
    np.testing.assert_allclose(received.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(received, build(tmp_path, weights=None)(images), atol=1e-2)


@installed
def test_another_square_one_is_refused_by_name(tmp_path):
    make("dinov2").save_to_preset(tmp_path / "dinov2")
    with pytest.raises(InputError, match=r"preset '.*dinov2' cannot be had for images of 56 x 28 pixels \(.*the same"):
        build(tmp_path / "dinov2", (56, 28))


@installed
def test_what_is_no_preset_or_not_for_such_images(tmp_path):
    make("vit").save_to_preset(tmp_path / "vit")
    with pytest.raises(InputError, match=r"cannot be had for images of 60 x 30 pixels \(.*divisible by patch size"):
        build(tmp_path / "vit", (60, 30))
    with pytest.raises(InputError, match=r"preset '.*gone' cannot be had for images of 64 x 32 pixels"):
        build(tmp_path / "gone")


@pytest.mark.skipif(importlib.util.find_spec("keras_hub") is not None, reason="KerasHub is installed")
def test_without_keras_hub_it_is_a_sentence():
    message = r"'keras_hub' \(vit_base\) needs the package 'keras-hub', .* pip install 'reid_tf\[hub\]'"
    with pytest.raises(InputError, match=message):
        build("vit_base")
