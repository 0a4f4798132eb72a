import logging

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES, MODELS
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
        ({"alpha": float("nan")}, "alpha must not be negative. Received: alpha=nan"),
        ({"embedding_dim": 0}, "must be at least 1. Received: 0"),
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
