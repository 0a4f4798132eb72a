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
        ({"triplet": {"name": "t"}}, "Unknown metric loss: 't'. .*pose_triplet, triplet"),
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
