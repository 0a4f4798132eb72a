import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.losses import TripletLoss
from tests.models.made_models import IDENTITIES, build, images, labels

ALL = ("identity_a", "identity_b", "verification", "attributes", "embedding")
PAIR = {"image_a": images(0), "image_b": images(1)}


def test_all_five_outputs_by_name():
    system = build("multitask", outputs=ALL, embedding_dim=7)
    shapes = {key: tensor.shape[1:] for key, tensor in system.model.output.items()}
    assert shapes == {
        "identity_a": (IDENTITIES,),
        "identity_b": (IDENTITIES,),
        "verification": (2,),
        "attributes": (2, 3),
        "embedding": (2, 7),
    }
    assert all(system.model.get_layer(key).name == key for key in ALL)
    assert system.targets["attributes"] == "binary_attributes"
    assert system.targets["embedding"] == "identity"
    assert (system.batches, system.attribute_kind) == ("identity_pairs", "binary")


def test_stacked_outputs_keep_the_order_of_the_pairs():
    system = build("multitask", outputs=ALL, embedding_dim=7)
    predicted = system.model(PAIR)
    for side, name in enumerate(("image_a", "image_b")):
        encoded = system.encoder({"image": PAIR[name]})
        np.testing.assert_allclose(predicted["embedding"][:, side], encoded["embedding"], rtol=1e-5)
        np.testing.assert_allclose(predicted["attributes"][:, side], encoded["attributes"], rtol=1e-5)


@pytest.mark.parametrize(
    "outputs", [("verification",), ("embedding",), ("attributes",), ("identity_a", "embedding"), ALL[:4], ALL[1:]]
)
def test_any_subset_trains(outputs):
    system = build("multitask", outputs=outputs, embedding_dim=7, dropout=0.2)
    assert set(system.model.output) == set(outputs)
    assert (system.verifier is not None) == ("verification" in outputs)
    assert set(system.encoder.output) == {"embedding"} | ({"attributes"} & set(outputs))
    assert system.batches == ("identity_pairs" if "embedding" in outputs else "pairs")
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights, metrics=system.metrics)
    logs = system.model.train_on_batch(PAIR, labels(system), return_dict=True)
    assert np.isfinite(logs["loss"])


def test_the_total_is_the_weighted_sum():
    system = build("multitask", outputs=ALL, embedding_dim=7)
    system.model.compile("sgd", system.losses, loss_weights=system.loss_weights)
    targets = labels(system)
    predicted = system.model(PAIR)
    parts = {key: float(system.losses[key](targets[key], predicted[key])) for key in ALL}
    expected = 0.5 * (parts["identity_a"] + parts["identity_b"]) + parts["verification"]
    expected += 0.05 * parts["attributes"] + parts["embedding"]
    logs = system.model.evaluate(PAIR, targets, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_triplet_loss_sees_unit_vectors_unless_told_otherwise():
    assert build("multitask", outputs=ALL).losses["embedding"].get_config()["normalize"]
    told = build("multitask", outputs=ALL, triplet={"normalize": False, "margin": 1.0}).losses["embedding"]
    assert isinstance(told, TripletLoss)
    assert (told.normalize, told.margin) == (False, 1.0)


def test_a_saved_five_output_model_agrees(tmp_path):
    system = build("multitask", outputs=ALL, embedding_dim=7)
    system.model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)(PAIR)
    for key, value in system.model(PAIR).items():
        np.testing.assert_allclose(again[key], value, rtol=1e-5)


def test_what_is_wrong_is_named():
    with pytest.raises(InputError, match=r"at least one output. Received: outputs=\(\)"):
        build("multitask", outputs=[])
    with pytest.raises(InputError, match="'outputs' of the model 'multitask'.0. is wrong:.* Received: 'attribute'"):
        build("multitask", outputs=["attribute"])
    with pytest.raises(InputError, match="learns from attribute labels.*attribute_schema=None"):
        build("multitask", schema=None, outputs=["attributes"])
    with pytest.raises(InputError, match="model 'multitask', metric_loss 'triplet': 'margn'. Did you mean 'margin'"):
        build("multitask", triplet={"margn": 1.0})
    with pytest.raises(InputError, match="takes batches of identity_pairs. Received: 'pairs'"):
        build("multitask", outputs=ALL).check_batches("pairs")
