"""The option `pooling` of every model whose encoder pools a feature map."""

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.layers import GeneralizedMeanPooling
from tests.models.made_models import build, images


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    return [part for layer in model.layers for part in (layers_of(layer) if hasattr(layer, "layers") else [layer])]


@pytest.mark.parametrize(
    ("kind", "pooled"),
    [
        ("average", lambda features: features.mean(axis=(1, 2))),
        ("max", lambda features: features.max(axis=(1, 2))),
        ("gem", lambda features: np.mean(np.maximum(features, 1e-6) ** 3, axis=(1, 2)) ** (1 / 3)),
        (
            "stripes",
            lambda features: np.concatenate([part.mean((1, 2)) for part in np.split(features, [1, 2, 3], 1)], 1),
        ),
    ],
)
def test_an_embedding_is_what_was_pooled(kind, pooled):
    encoder = build("baseline", pooling=kind).encoder
    features = np.array(encoder.get_layer("small_backbone")(images(0)))
    np.testing.assert_allclose(encoder({"image": images(0)})["embedding"], pooled(features), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("multitask", {}, 1),
        ("verification", {}, 1),
        ("triplet", {}, 1),
        ("sharenet", {}, 2),
        ("attribute", {}, 1),
        ("joint_loss", {"shared_layers": 1, "grids": [[4, 4]] * 3}, 4),
    ],
)
def test_every_map_is_pooled_alike(name, options, count):
    encoder = build(name, pooling="gem", **options).encoder
    pools = [layer for layer in layers_of(encoder) if isinstance(layer, GeneralizedMeanPooling)]
    assert len({id(layer.power) for layer in pools}) == count
    assert not [layer for layer in layers_of(encoder) if "Global" in type(layer).__name__]


def test_another_pooling_is_named():
    with pytest.raises(
        InputError, match="'pooling' of the model 'baseline'.*'average', 'max', 'gem' or 'stripes'.*'mean'"
    ):
        build("baseline", pooling="mean")
