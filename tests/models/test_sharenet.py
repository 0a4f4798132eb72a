import logging

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES, MODELS
from tests import made_batches
from tests.models.made_models import SCHEMA, build, images, labels


def test_outputs_weights_and_the_papers_mining():
    system = build("sharenet", embedding_dim=7, alpha=0.01)
    assert {key: tensor.shape[1:] for key, tensor in system.model.output.items()} == {
        "embedding": (7,),
        "attributes": (3,),
    }
    assert system.loss_weights == {"embedding": 1.0, "attributes": 0.01}
    config = system.losses["embedding"].get_config()
    assert [config[key] for key in ("distance", "mining", "margin", "hardest", "reduction")] == [
        "cosine",
        "hardest_negatives",
        0.5,
        4,
        "sum",
    ]
    assert (system.batches, system.distance, system.attribute_kind) == ("identities", "cosine", "binary")
    assert set(system.encoder.output) == {"embedding", "attributes"}


def test_total_is_triplet_plus_alpha_times_attributes():
    system = build("sharenet", embedding_dim=7, alpha=0.3)
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights)
    predicted, targets = system.model({"image": images(0)}), labels(system)
    triplets = float(np.sum(system.losses["embedding"].call(targets["embedding"], predicted["embedding"])))
    attributes = float(np.sum(system.losses["attributes"].call(targets["attributes"], predicted["attributes"])))
    logs = system.model.evaluate({"image": images(0)}, targets, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(triplets + 0.3 * attributes, rel=1e-4)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_all_its_losses_reduce_alike(reduction):
    system = build("sharenet", embedding_dim=7, identity=True, reduction=reduction)
    assert {loss.get_config()["reduction"] for loss in system.losses.values()} == {reduction}


def test_a_fork_gives_the_attribute_branch_weights_of_its_own():
    shared, forked = build("sharenet", embedding_dim=7), build("sharenet", embedding_dim=7, shared_layers=1)
    assert not shared.backbone_copies
    (copy,) = forked.backbone_copies
    assert len(forked.model.weights) - len(shared.model.weights) == len(copy.weights) == 2
    before = forked.model({"image": images(0)})
    for variable in copy.weights:
        variable.assign(variable + 0.1)
    after = forked.model({"image": images(0)})
    np.testing.assert_array_equal(after["embedding"], before["embedding"])
    assert np.abs(np.array(after["attributes"]) - np.array(before["attributes"])).max() > 1e-4


@pytest.mark.parametrize("shared", [5, 6, 7])
def test_the_papers_sharenets_on_caffenet(shared):
    backbone = BACKBONES.build({"name": "caffenet", "width_multiplier": 0.1}, image_size=(227, 227))
    system = MODELS.build(
        {"name": "sharenet", "shared_layers": shared},
        backbone=backbone,
        num_identities=3,
        attribute_schema=SCHEMA,
    )
    assert system.model.output["embedding"].shape == (None, 1024)
    # fc6 and fc7, fc7 alone, or nothing is copied: a kernel and a bias each.
    assert [len(copy.weights) for copy in system.backbone_copies] == {5: [4], 6: [2], 7: []}[shared]


def test_the_resnet_variant_ends_in_batch_norm_and_relu():
    system = build("sharenet", embedding_dim=7, embedding_layer="batch_norm_relu", identity=True)
    assert np.min(system.model({"image": images(0)})["embedding"]) == 0.0
    assert system.with_loss_weights({"identity": 0.0}).loss_weights["identity"] == 0.0


def test_without_labels_it_says_that_it_is_the_triplet_network(caplog):
    with caplog.at_level(logging.WARNING):
        system = build("sharenet", schema=None, embedding_dim=7)
    assert "without them ShareNet is the triplet network" in caplog.text
    assert set(system.model.output) == {"embedding"}
    assert system.attribute_kind is None


@pytest.mark.parametrize("shared_layers", [None, 2])
def test_attributes_are_read_from_the_boxes_of_body_parts_too(shared_layers):
    system = made_batches.build("sharenet", embedding_dim=7, attribute_parts=True, shared_layers=shared_layers)
    assert system.inputs == {"image": "image", "part_boxes": "part_boxes"}
    assert set(system.encoder.input) == {"image", "part_boxes"}
    given = made_batches.inputs(system)
    before = system.encoder(given)
    moved = given["part_boxes"].copy()
    moved[1, 2] = (0.0, 0.0, 1.0, 0.2)  # the second image's lower limbs
    after = system.encoder({**given, "part_boxes": moved})
    np.testing.assert_array_equal(after["embedding"], before["embedding"])
    changed = np.abs(np.asarray(after["attributes"]) - before["attributes"]).max(axis=1)
    assert changed[1] > 1e-5
    assert changed[[0, 2, 3]].max() < 1e-6


def test_a_part_is_the_mean_of_its_cells_maxima():
    system = made_batches.build("sharenet", embedding_dim=7, attribute_parts=True, shared_layers=2, part_grid=[2, 1])
    given = made_batches.inputs(system)
    given["part_boxes"][:, 1] = (0.0, 0.0, 0.5, 1.0)  # the left half, in an upper and a lower cell
    names = ("attribute_pool", "trunk_pool", "attribute_features")
    layers = [system.model.get_layer(name).output for name in names]
    shared = system.model.get_layer("trunk_roi").input[0]
    whole, trunk, features, shared = keras.Model(system.model.input, [*layers, shared])(given)
    rows, columns = shared.shape[1] // 2, shared.shape[2] // 2
    halves = [np.max(part[:, :, :columns], axis=(1, 2)) for part in (shared[:, :rows], shared[:, rows:])]
    np.testing.assert_allclose(trunk, np.mean(halves, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(features[:, : whole.shape[1]], whole)
    assert features.shape[1] == whole.shape[1] + 3 * trunk.shape[1]


def test_every_weight_learns_with_parts_and_it_is_saved(tmp_path):
    system = made_batches.build("sharenet", attribute_parts=True, shared_layers=2, pooling="gem")
    inputs, targets = made_batches.inputs(system), made_batches.labels(system)
    before = [np.array(variable) for variable in system.model.trainable_variables]
    system.compile(keras.optimizers.SGD(0.1), run_eagerly=True).train_on_batch(inputs, targets)
    for variable, old in zip(system.model.trainable_variables, before, strict=True):
        assert np.isfinite(variable).all(), variable.path
        assert (np.array(variable) != old).any(), variable.path
    system.encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")(inputs)
    np.testing.assert_allclose(again["attributes"], system.encoder(inputs)["attributes"], rtol=1e-4, atol=1e-6)


def test_without_parts_the_graph_is_as_before():
    plain, explicit = build("sharenet", embedding_dim=7), build("sharenet", embedding_dim=7, attribute_parts=False)
    assert plain.inputs == {"image": "image"}
    assert [layer.name for layer in plain.model.layers] == [layer.name for layer in explicit.model.layers]
    assert not any("roi" in layer.name for layer in plain.model.layers)
    unlabelled = build("sharenet", schema=None, embedding_dim=7, attribute_parts=True)
    assert unlabelled.inputs == {"image": "image"}


def test_a_map_of_one_place_has_no_parts():
    backbone = BACKBONES.build({"name": "caffenet", "width_multiplier": 0.1}, image_size=(227, 227))
    given = {"backbone": backbone, "num_identities": 3, "attribute_schema": SCHEMA}
    with pytest.raises(InputError, match=r"the last shared stage leaves one: .* a map of \(1, 1, \d+\)"):
        MODELS.build({"name": "sharenet", "shared_layers": 7, "attribute_parts": True}, **given)
    system = MODELS.build({"name": "sharenet", "shared_layers": 5, "attribute_parts": True}, **given)
    assert system.model.get_layer("trunk_roi").output.shape[1:3] == (3, 3)


def test_saved_with_its_fork(tmp_path):
    system = build("sharenet", embedding_dim=7, shared_layers=1)
    system.encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")({"image": images(0)})
    for key, value in system.encoder({"image": images(0)}).items():
        np.testing.assert_allclose(again[key], value, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha must not be negative. Received: alpha=-0.1"),
        ({"embedding_dim": 0}, "must be at least 1. Received: 0"),
        ({"attribute_parts": True, "part_grid": [0, 2]}, "'part_grid' .* must be at least 1. Received: 0"),
        ({"shared_layers": 3}, "shared_layers must be 1 to 2, .* Received: 3"),
        (
            {"triplet": {"reduction": "mean"}},
            "model 'sharenet', metric_loss 'triplet': 'reduction'",
        ),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message):
        build("sharenet", **options)
