import cv2
import keras
import numpy as np
import pytest

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.query_and_gallery import embed_query_and_gallery
from reid_tf.errors import InputError

SCHEMA = AttributeSchema((AttributeGroup("bright", ("no", "yes")),))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Grays, labelled right but for the last one; the fourth has no label."""
    folder = tmp_path_factory.mktemp("grays")
    records = []
    for index, (gray, answers) in enumerate([(10, (0,)), (240, (1,)), (20, (0,)), (200, None), (30, (1,))]):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((8, 4, 3), gray, np.uint8))
        records.append(Record(str(folder / f"{index}.png"), index % 2, index, answers))
    return ReIDDataset("grays", (), tuple(records[:2]), tuple(records[2:]), attribute_schema=SCHEMA)


def encoder_of(coding):
    image = keras.Input((8, 4, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D(name="embedding")(image)
    bright = keras.layers.Dense(1, activation="sigmoid", name="attributes")
    model = keras.Model({"image": image}, {"embedding": mean, "attributes": bright(mean)})
    bright.set_weights([np.full((3, 1), 0.02), np.array([-7.0])])
    return Encoder(model, {"image": "image"}, (8, 4), attributes=coding)


def test_judges_all_labelled_images(dataset):
    query, gallery, attributes = embed_query_and_gallery(
        encoder_of(AttributeCoding(SCHEMA, "binary")), dataset, batch_size=2, verbose=0
    )
    np.testing.assert_allclose(query.vectors[:, 0], [10, 240])
    assert gallery.identities.tolist() == [0, 1, 0]
    (score,) = attributes.attributes
    assert (score.images, score.accuracy, score.balanced_accuracy) == (4, 0.75, 0.75)


def test_an_image_of_both_splits_is_judged_once(dataset):
    everything = dataset.query + dataset.gallery
    both = ReIDDataset("both", (), everything[::2], everything, attribute_schema=SCHEMA)
    query, gallery, attributes = embed_query_and_gallery(
        encoder_of(AttributeCoding(SCHEMA, "binary")), both, batch_size=2, verbose=0
    )
    assert (len(query), len(gallery)) == (3, 5)
    (score,) = attributes.attributes
    assert (score.images, score.accuracy) == (4, 0.75)


def test_without_attributes_on_both_sides_nothing_is_judged(dataset):
    query, _, attributes = embed_query_and_gallery(encoder_of(None), dataset, verbose=0)
    assert (len(query), attributes) == (2, None)
    bare = ReIDDataset("bare", (), dataset.query, dataset.gallery)
    encoder = encoder_of(AttributeCoding(SCHEMA, "binary"))
    assert embed_query_and_gallery(encoder, bare, verbose=0)[2] is None


def test_another_data_sets_attributes_are_refused(dataset):
    other = AttributeCoding(AttributeSchema((AttributeGroup("hat", ("no", "yes")),)), "binary")
    with pytest.raises(InputError, match=r"group 1 is \(bright: no, yes\), and the model was trained on \(hat: no"):
        embed_query_and_gallery(encoder_of(other), dataset, verbose=0)
