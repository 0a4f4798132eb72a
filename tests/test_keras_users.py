"""What a Keras user would write by guessing: the names, one's own backbone and tf.data, saving, and the errors."""

import ast
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import reid_tf
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.pipeline.build import build_batches
from reid_tf.training.batches import make_sampler
from tests.made_batches import inputs, labels
from tests.models.made_models import small_backbone

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REID_TF_CACHE", str(tmp_path_factory.mktemp("cache")))
        return reid_tf.load_dataset("synthetic", identities=12, images_per_identity=4, image_size=(32, 16))


def multitask(dataset, **options):
    return reid_tf.models.multitask(small_backbone(), num_identities=dataset.num_identities, embedding_dim=8, **options)


def test_from_a_backbone_to_a_score_and_on(dataset, tmp_path):
    system = multitask(dataset)
    batches = reid_tf.make_batches(dataset, system, batch_size=16)
    model = system.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0).history
    assert len(history["verification_loss"]) == 2
    model.save(tmp_path / "model.keras")
    again = reid_tf.load_model(tmp_path / "model.keras")
    again.fit(batches, shuffle=False, verbose=0)
    assert int(again.optimizer.iterations) == 3 * int(batches.cardinality())
    encoder = reid_tf.Encoder(again.get_layer("encoder"))
    query, gallery = (reid_tf.embed(encoder, records, verbose=0) for records in (dataset.query, dataset.gallery))
    assert 0 < reid_tf.evaluate(query, gallery).mean_average_precision <= 1


def test_the_encoder_of_a_system_is_the_one_in_training(dataset):
    system = reid_tf.models.sharenet(small_backbone(), 3, MARKET1501_SCHEMA, embedding_dim=8)
    encoder = reid_tf.Encoder(system)
    assert (encoder.inputs, encoder.image_size, encoder.distance) == ({"image": "image"}, (16, 8), "cosine")
    assert encoder.attributes.schema == MARKET1501_SCHEMA
    assert reid_tf.Encoder(reid_tf.models.triplet(small_backbone(), 3)).distance == "euclidean"
    image = np.zeros((16, 8, 3), np.uint8)
    before = encoder([image])
    system.compile("adam").train_on_batch(inputs(system), labels(system))
    assert not np.allclose(encoder([image]), before)


def test_a_tf_data_of_ones_own():
    system = reid_tf.models.baseline(small_backbone(), num_identities=4)
    images = np.random.default_rng(0).uniform(0, 255, (8, 16, 8, 3)).astype(np.float32)
    own = tf.data.Dataset.from_tensor_slices(({"image": images}, {"identity": np.arange(8) % 4})).batch(4)
    history = system.compile("sgd").fit(own, epochs=2, shuffle=False, verbose=0).history
    assert len(history["loss"]) == 2


def test_every_pass_is_another_epoch_in_the_order_of_a_run(dataset):
    system = multitask(dataset)
    batches = reid_tf.make_batches(dataset, system, batch_size=16, augment=(), seed=3)
    passes = [[targets["identity_a"] for _, targets in batches.as_numpy_iterator()] for _ in range(2)]
    assert len(passes[0]) == int(batches.cardinality())
    component = {"name": "pairs", "batch_size": 8}
    sampler = make_sampler(component, dataset, system, epochs=2, seed=3, replicas=1)
    classes = {identity: index for index, identity in enumerate(sorted({r.identity for r in dataset.train}))}
    stream = build_batches(
        dataset.train,
        classes,
        sampler,
        image_size=system.image_size,
        inputs=system.inputs,
        targets=system.targets,
        seed=3,
        epochs=2,
    )
    in_a_run = [targets["identity_a"] for _, targets in stream.as_numpy_iterator()]
    np.testing.assert_array_equal(np.concatenate(passes[0] + passes[1]), np.concatenate(in_a_run))
    assert not np.array_equal(np.concatenate(passes[0]), np.concatenate(passes[1]))


@pytest.mark.slow
def test_a_backbone_of_keras_applications():
    backbone = keras.applications.MobileNetV2(input_shape=(64, 32, 3), alpha=0.35, include_top=False, weights=None)
    system = reid_tf.models.triplet(backbone, num_identities=3, embedding_dim=8)
    loss = system.compile("adam").train_on_batch(inputs(system), labels(system))
    assert np.isfinite(loss).all()
    encoder = reid_tf.Encoder(system)
    images = list(np.random.default_rng(0).integers(0, 256, (3, 50, 20, 3), np.uint8))
    np.testing.assert_allclose(encoder.folded()(images), encoder(images), rtol=1e-3, atol=1e-5)


def test_wrong_arguments_get_the_sentences_of_yaml(dataset):
    multitask, backbone = reid_tf.models.multitask, small_backbone()
    for given, message in (
        ({"backbone": "resnet50"}, "'backbone' of the model 'multitask' must be a keras.Model. Received: 'resnet50'."),
        ({"outputs": ("identitya",)}, r"Option 'outputs' of the model 'multitask'\[0\] is wrong: .*'identitya'"),
        ({"triplet": {"margn": 1}}, "model 'multitask', metric_loss 'triplet': 'margn'. Did you mean 'margin'"),
        ({"metric_loss": {"name": "tripletloss"}}, "Unknown metric loss: 'tripletloss'. Did you mean 'triplet'"),
        ({"embeding_dim": 8}, "Unknown option of the model 'multitask': 'embeding_dim'. Did you mean 'embedding_dim'"),
        ({"num_identities": 0}, "num_identities must be at least 1. Received: num_identities=0"),
        ({"dropout": "much"}, "Option 'dropout' of the model 'multitask' is wrong: .*'much'"),
    ):
        with pytest.raises(reid_tf.InputError, match=message):
            multitask(**{"backbone": backbone, "num_identities": 3, **given})
    with pytest.raises(
        reid_tf.InputError, match="Unknown option of the backbone 'tiny': 'widht'. Did you mean 'width'"
    ):
        reid_tf.backbones.tiny((32, 16), widht=4)
    with pytest.raises(reid_tf.InputError, match=r"include_top=False.* Received: an output of shape \(None, 6\)"):
        pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
        reid_tf.models.baseline(keras.Model(backbone.input, pooled), 3)
    with pytest.raises(reid_tf.InputError, match="A system knows its own loss; .* Received: loss='mse'"):
        reid_tf.models.baseline(backbone, 3).compile("sgd", loss="mse")


def test_batches_that_do_not_suit(dataset):
    make_batches, backbone = reid_tf.make_batches, small_backbone()
    with pytest.raises(reid_tf.InputError, match="has 8 people .*'identity' has 5 classes: .*identities=8"):
        make_batches(dataset, reid_tf.models.baseline(backbone, 5))
    with pytest.raises(reid_tf.InputError, match="takes batches of identities. Received: 'images'"):
        make_batches(dataset, reid_tf.models.triplet(backbone, 8), batches={"name": "images", "batch_size": 4})
    with pytest.raises(reid_tf.InputError, match=r"fixed image size, .* Received: \(None, None, None, 3\)"):
        anyhow = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
        make_batches(dataset, reid_tf.models.baseline(anyhow, 8))


def test_encoders_of_what_is_none():
    with pytest.raises(reid_tf.InputError, match=r"load_encoder\(\) opens a run or an export. Received: 'runs/a'"):
        reid_tf.Encoder("runs/a")
    with pytest.raises(reid_tf.InputError, match="Received: the model 'small_backbone' with inputs without names"):
        reid_tf.Encoder(small_backbone())


@keras.saving.register_keras_serializable(package="nobody")
class Nobodys(keras.layers.Layer):
    """Registered here, and taken out of the register by the test."""

    def call(self, values):
        return values


def test_models_that_do_not_open(tmp_path, monkeypatch):
    image = keras.Input((4,))
    keras.Model(image, Nobodys()(image)).save(tmp_path / "a.keras")
    monkeypatch.delitem(keras.saving.get_custom_objects(), "nobody>Nobodys")
    config = re.escape("keras.saving.register_keras_serializable")
    with pytest.raises(reid_tf.InputError, match=rf"a.keras' names the class 'Nobodys', which nothing .*{config}"):
        reid_tf.load_model(tmp_path / "a.keras")
    with pytest.raises(reid_tf.InputError, match="There is no model file '.*b.keras'"):
        reid_tf.load_model(tmp_path / "b.keras")
    (tmp_path / "c.keras").write_bytes(b"PK, but no archive")
    with pytest.raises(reid_tf.InputError, match="c.keras' cannot be opened as a Keras model: "):
        reid_tf.load_model(tmp_path / "c.keras")


def test_what_a_notebook_shows(dataset):
    assert re.fullmatch(
        r"synthetic: train 32 images of 8 people, query 8 images of 4 people, gallery \d+ images of 5 people",
        repr(dataset),
    )
    record = repr(dataset.train[0])
    assert re.fullmatch(r"Record\('\S+\.jpg', identity=\d+, camera=\d+, 12 attributes, landmarks\)", record)
    system = reid_tf.models.baseline(small_backbone(), 3)
    assert repr(system) == "System(baseline: identity [3] x 1; batches of images, ranked by cosine)"
    encoder = reid_tf.Encoder(system, flip=True)
    assert repr(encoder) == "Encoder(KerasRuntime: image, 16 x 8 -> 6, cosine, flip)"
    embeddings = reid_tf.embed(encoder, dataset.query, verbose=0)
    assert repr(embeddings) == "Embeddings of 8 images of 4 people, 6 dimensions"
    row = repr(reid_tf.evaluate(embeddings, reid_tf.embed(encoder, dataset.gallery, verbose=0)))
    assert re.fullmatch(r"rank-1 [\d.]+, rank-5 [\d.]+, rank-10 [\d.]+, mAP [\d.]+, mINP [\d.]+ % of 8 .*", row)


def test_the_notebook_is_the_example():
    example = (EXAMPLES / "keras_user.py").read_text()
    cells = json.loads((EXAMPLES / "keras_user.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert ast.dump(ast.parse("\n".join(code))) == ast.dump(ast.parse(example.split('"""', 2)[2]))
    assert all(cell.get("outputs", []) == [] for cell in cells)
