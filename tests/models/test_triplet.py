import numpy as np
import pytest

from reid_tf.errors import InputError
from tests.models.made_models import IDENTITIES, build, images, labels


def test_alone_it_is_the_embedding_and_nothing_else():
    system = build("triplet", embedding_dim=7)
    assert {key: tensor.shape[1:] for key, tensor in system.model.output.items()} == {"embedding": (7,)}
    assert (system.batches, system.distance) == ("identities", "euclidean")
    predicted = system.model({"image": images(0)})["embedding"]
    np.testing.assert_allclose(system.encoder({"image": images(0)})["embedding"], predicted, rtol=1e-5)


@pytest.mark.parametrize(
    ("triplet", "distance"),
    [
        ({"distance": "cosine"}, "cosine"),
        ({"normalize": True}, "cosine"),
        ({"distance": "squared_euclidean"}, "euclidean"),
    ],
)
def test_it_ranks_by_what_it_compares(triplet, distance):
    assert build("triplet", triplet=triplet).distance == distance


def test_a_neck_stands_between_the_two_losses():
    system = build("triplet", identity=True, batch_norm_neck=True)
    system.model.get_layer("neck").set_weights([np.full(6, 2.0), np.full(6, 0.1), np.ones(6)])
    outputs, encoded = system.model({"image": images(0)}), system.encoder({"image": images(0)})["embedding"]
    np.testing.assert_allclose(encoded, (np.array(outputs["embedding"]) - 0.1) * 2 / np.sqrt(1 + 1e-3), rtol=1e-4)
    kernel, bias = system.model.get_layer("identity_classifier").get_weights()
    assert kernel.shape == (6, IDENTITIES)
    logits = np.array(encoded) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["identity"], expected, rtol=1e-4)
    assert system.distance == "cosine"


def test_the_relu_variant_and_one_reduction_for_both_losses():
    system = build(
        "triplet", identity=True, embedding_dim=7, embedding_layer="batch_norm_relu", triplet={"reduction": "sum"}
    )
    assert np.min(system.model({"image": images(0)})["embedding"]) == 0.0
    assert {loss.reduction for loss in system.losses.values()} == {"sum"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_norm_neck": True}, "needs both. Received: batch_norm_neck=True, identity=False"),
        ({"embedding_layer": "batch_norm_relu"}, "needs an embedding_dim. Received: embedding_dim=None"),
        ({"identity": True, "dropout": 1.5}, r"dropout must be in \[0, 1\). Received: dropout=1.5"),
        ({"triplet": {"margin": "hard"}}, "valid number.* or .*'soft'.* Received: 'hard'"),
        ({"triplet": {"name": "t"}}, "Unknown metric loss: 't'. .*cosface, .*pose_triplet"),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message):
        build("triplet", **options)


def test_what_to_watch_is_in_the_logs():
    system = build("triplet", identity=True)
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights, metrics=system.metrics)
    logs = system.model.train_on_batch({"image": images(0)}, labels(system), return_dict=True)
    assert {
        "embedding_active_triplets",
        "embedding_positive_distance",
        "embedding_negative_distance",
        "identity_accuracy",
    } <= set(logs)


def test_several_metric_losses_are_an_output_each():
    chosen = [{"name": "circle"}, {"name": "triplet", "margin": "soft"}, {"name": "arcface", "warmup_epochs": 2}]
    system = build("triplet", metric_loss=[*chosen, {"name": "centre"}], identity=True)
    assert {key: loss.name for key, loss in system.losses.items()} == {
        "embedding": "circle",
        "embedding_triplet": "triplet",
        "identity_arcface": "arcface",
        "identity_centre": "centre",
        "identity": "cross_entropy",
    }
    assert set(system.targets.values()) == {"identity"}
    assert system.model.output["identity_arcface"].shape[1:] == (IDENTITIES,)
    assert system.distance == "cosine"
    assert set(system.encoder.output) == {"embedding"}
    weighted = system.with_loss_weights({"identity_centre": 0.0005})
    assert weighted.loss_weights["identity_centre"] == 0.0005


def test_a_loss_with_class_vectors_alone():
    system = build("triplet", metric_loss={"name": "cosface"}, embedding_dim=5)
    assert set(system.model.output) == {"identity_cosface"}
    cosines = np.array(system.model({"image": images(0)})["identity_cosface"])
    embedding = np.array(system.encoder({"image": images(0)})["embedding"])
    vectors = system.model.get_layer("cosface_classes").vectors.numpy()
    expected = embedding @ vectors.T / np.linalg.norm(embedding, axis=1)[:, None] / np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(cosines, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["multitask", "sharenet", "joint_loss"])
def test_every_model_with_an_embedding_takes_them(name):
    options = {"outputs": ("verification", "embedding")} if name == "multitask" else {}
    options |= {"parts": False} if name == "joint_loss" else {}
    system = build(name, metric_loss=[{"name": "supervised_contrastive"}, {"name": "arcface"}], **options)
    assert {"embedding", "identity_arcface"} <= set(system.model.output)
    assert system.model.output["identity_arcface"].shape[-1] == IDENTITIES


@pytest.mark.parametrize(
    ("metric_loss", "message"),
    [
        ([], r"metric_loss needs at least one component, and none twice\. Received: \[\]"),
        ([{"name": "triplet"}, {}], r"none twice\. Received: \['triplet', 'triplet'\]"),
        ([{"name": "arcfase"}], "Unknown metric loss: 'arcfase'. Did you mean 'arcface'"),
        ([{"name": "arcface", "margin": 4}], r"below pi\. Received: margin=4"),
        ([{"name": "cosface", "margn": 4}], "metric_loss 'cosface': 'margn'. Did you mean 'margin'"),
    ],
)
def test_what_is_wrong_in_a_metric_loss_is_named(metric_loss, message):
    with pytest.raises(InputError, match=message):
        build("triplet", metric_loss=metric_loss)
