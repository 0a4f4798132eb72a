import numpy as np
import pytest

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.errors import InputError
from tests.models.made_models import IDENTITIES, build, images, labels


def test_the_papers_sizes():
    system = build("attribute", schema=MARKET1501_SCHEMA)
    assert system.model.output["attributes"].shape == (None, 41)
    assert system.encoder.output["embedding"].shape == (None, 512 + 41)
    assert system.model.output["identity"].shape == (None, IDENTITIES)
    assert (system.batches, system.distance, system.attribute_kind) == ("images", "mean_squared", "classes")


def test_every_group_is_a_softmax_and_the_embedding_joins_features_and_reweighted_attributes():
    system = build("attribute", feature_dim=6)
    predicted, encoded = system.model({"image": images(0)}), system.encoder({"image": images(0)})
    attributes = np.array(predicted["attributes"])
    np.testing.assert_allclose([attributes[:, :2].sum(1), attributes[:, 2:].sum(1)], 1.0, rtol=1e-5)
    np.testing.assert_array_equal(encoded["attributes"], attributes)
    matrix, offset = system.model.get_layer("reweighting").get_weights()
    reweighted = attributes / (1 + np.exp(-(attributes @ matrix + offset)))
    np.testing.assert_allclose(np.array(encoded["embedding"])[:, 6:], reweighted, rtol=1e-4, atol=1e-6)
    assert np.all(np.array(encoded["embedding"])[:, :6] >= 0)  # behind a ReLU


def test_joint_accuracy_is_an_images_right_answers_over_all():
    system = build("attribute", feature_dim=6)
    assert system.combined_metrics == {
        "joint_accuracy": {"attributes_accuracy": pytest.approx(2 / 3), "identity_accuracy": pytest.approx(1 / 3)}
    }
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights, metrics=system.metrics)
    targets = {**labels(system), "attributes": np.array([[0, 1], [1, 0], [1, 2], [0, 0]])}
    logs = system.model.evaluate({"image": images(0)}, targets, return_dict=True, verbose=0)
    joint = sum(weight * logs[key] for key, weight in system.combined_metrics["joint_accuracy"].items())
    predicted = {key: np.array(value) for key, value in system.model({"image": images(0)}).items()}
    right = [
        (predicted["identity"][i].argmax() == targets["identity"][i])
        + (predicted["attributes"][i, :2].argmax() == targets["attributes"][i, 0])
        + (predicted["attributes"][i, 2:].argmax() == targets["attributes"][i, 1])
        for i in range(4)
    ]
    assert joint == pytest.approx(np.mean(right) / 3, abs=1e-6)


def test_what_is_wrong_is_named():
    with pytest.raises(InputError, match="'attribute' learns from attribute labels.*attribute_schema=None"):
        build("attribute", schema=None)
    with pytest.raises(InputError, match="'feature_dim' .* must be at least 1. Received: 0"):
        build("attribute", feature_dim=0)
