import keras
import numpy as np
import pytest

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.explain import last_feature_map, similarity_map
from reid_tf.errors import InputError
from tests.backbones.test_contract import built, every_architecture, images_for
from tests.models.made_models import SIZE, build, part_boxes

BLUE, RED = (10, 10, 240), (240, 10, 10)


def of_colours(size=(16, 8)):
    """An encoder whose feature map is the image itself, and whose embedding is the mean colour less grey."""
    image = keras.Input((*size, 3), name="image")
    colours = keras.layers.Rescaling(1 / 127.5, offset=-1, name="colours")(image)
    mean = keras.layers.GlobalAveragePooling2D(name="mean")(colours)
    return Encoder(keras.Model({"image": image}, {"embedding": mean}))


def with_red_corner():
    image = np.full((16, 8, 3), BLUE, np.uint8)
    image[:8, :4] = RED
    return image


def test_the_place_that_is_alike_is_shown():
    shown = similarity_map(of_colours(), with_red_corner(), np.full((16, 8, 3), RED, np.uint8))
    assert shown.shape == (16, 8)
    assert shown.dtype == np.float32
    assert (shown[:8, :4] > 0.9).all()
    assert (shown[8:] < 0.1).all()
    assert (shown[:, 4:] < 0.1).all()


def test_equals_the_formula():
    encoder, generator = of_colours(), np.random.default_rng(0)
    image, other = generator.integers(0, 256, (2, 16, 8, 3), np.uint8)
    features = image / 127.5 - 1.0
    one, two = features.mean(axis=(0, 1)), (other / 127.5 - 1.0).mean(axis=(0, 1))
    lengths = np.linalg.norm(one), np.linalg.norm(two)
    cosine = one @ two / np.prod(lengths)
    gradient = two / np.prod(lengths) - cosine * one / lengths[0] ** 2  # of the cosine, by the embedding
    expected = np.maximum(features @ gradient, 0)
    np.testing.assert_allclose(similarity_map(encoder, image, other), expected / expected.max(), atol=1e-4)
    np.testing.assert_allclose(
        similarity_map(encoder, image, encoder([other])[0]), expected / expected.max(), atol=1e-4
    )


def test_nothing_alike_shows_nothing():
    blue, red = (np.full((16, 8, 3), colour, np.uint8) for colour in (BLUE, RED))
    assert similarity_map(of_colours(), blue, red).max() <= 1
    np.testing.assert_array_equal(similarity_map(of_colours(), red, red), 0)  # the cosine is at its highest


@pytest.mark.slow
@every_architecture
def test_every_backbone_is_explained(name):
    backbone = built(name)
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    model = keras.Model({"image": backbone.input}, {"embedding": pooled})
    encoder = Encoder(model, image_size=backbone.input_shape[1:3])
    layer = last_feature_map(model)
    called = layer.call
    assert np.prod(layer.output.shape[1:3]) > 1
    image, other = images_for(backbone)
    shown = similarity_map(encoder, image, other)
    assert shown.shape == backbone.input_shape[1:3]
    assert np.isfinite(shown).all()
    assert shown.max() == pytest.approx(1, abs=0.5)
    assert layer.call == called  # as it was


@pytest.mark.parametrize("trainable", [True, False])
def test_a_model_in_a_model_is_looked_into(trainable):
    system = build("baseline")
    system.encoder.trainable = trainable
    assert last_feature_map(system.encoder).name == "small_backbone"
    image, other = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    assert similarity_map(Encoder(system), image, other).max() > 0.5


def test_a_model_of_body_parts_is_explained_by_its_whole_image():
    system = build("joint_loss", shared_layers=1)
    encoder = Encoder(system)
    assert encoder.needs_landmarks
    image, other = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    landmarks = np.random.default_rng(0).uniform(0, 1, (18, 3)).astype(np.float32)
    vector = encoder([other], part_boxes=part_boxes(0)[:1])[0]
    assert similarity_map(encoder, image, vector, landmarks).shape == SIZE
    with pytest.raises(InputError, match="needs the landmarks of the image. Received: landmarks=None"):
        similarity_map(encoder, image, vector)


def test_a_model_without_a_map_is_refused():
    image = keras.Input((16, 8, 3), name="image")
    flat = keras.layers.Flatten(name="flat")(image)
    encoder = Encoder(keras.Model({"image": image}, {"embedding": flat}, name="flat_one"))
    with pytest.raises(InputError, match="'flat_one' has no feature map.* Received: image, flat"):
        similarity_map(encoder, np.zeros((16, 8, 3), np.uint8), np.ones((16, 8, 3), np.uint8))
