import dataclasses

import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from tests.models.made_models import IDENTITIES, build, images, labels


@pytest.mark.parametrize(
    ("name", "outputs", "batches"),
    [
        ("multitask", {"identity_a": IDENTITIES, "identity_b": IDENTITIES, "verification": 2}, "pairs"),
        ("verification", {"verification": 2}, "pairs"),
        ("baseline", {"identity": IDENTITIES}, "images"),
    ],
)
def test_softmax_outputs_are_named_probabilities(name, outputs, batches):
    system = build(name)
    inputs = {key: images(index) for index, key in enumerate(system.model.input)}
    predicted = system.model(inputs)
    assert {key: value.shape[1] for key, value in predicted.items()} == outputs
    assert system.batches == batches
    for key, value in predicted.items():
        np.testing.assert_allclose(np.sum(value, axis=1), 1.0, rtol=1e-5)
        assert system.model.get_layer(key).name == key


def test_the_two_sides_share_every_weight():
    system = build("multitask", embedding_dim=7)
    first, second = images(0), images(1)
    straight = system.model({"image_a": first, "image_b": second})
    swapped = system.model({"image_a": second, "image_b": first})
    np.testing.assert_allclose(straight["identity_a"], swapped["identity_b"], rtol=1e-5)
    np.testing.assert_allclose(straight["verification"], swapped["verification"], rtol=1e-5)
    # Two convolutions, one projection, one identity and one verification classifier, each with kernel and bias.
    assert len(system.model.trainable_variables) == 10


@pytest.mark.parametrize("dim", [None, 7])
@pytest.mark.parametrize("neck", [False, True])
def test_the_embedding_is_f_itself(dim, neck):
    """Equations 1, 3 and 4 by hand, from the encoder's embeddings and the classifiers' weights."""
    system = build("multitask", embedding_dim=dim, batch_norm_neck=neck)
    first, second = images(0), images(1)
    f = [np.array(system.encoder({"image": image})["embedding"]) for image in (first, second)]
    assert f[0].shape == (4, dim or 6)
    predicted = system.model({"image_a": first, "image_b": second})
    kernel, bias = system.model.get_layer("identity_classifier").get_weights()
    np.testing.assert_allclose(predicted["identity_a"], keras.ops.softmax(f[0] @ kernel + bias), rtol=1e-4, atol=1e-6)
    kernel, bias = system.model.get_layer("verification_classifier").get_weights()
    same_or_different = keras.ops.softmax((f[0] - f[1]) ** 2 @ kernel + bias)
    np.testing.assert_allclose(predicted["verification"], same_or_different, rtol=1e-4, atol=1e-6)


def test_the_verifier_is_the_verification_head():
    system = build("multitask", embedding_dim=7)
    first, second = images(0), images(1)
    f = [system.encoder({"image": image})["embedding"] for image in (first, second)]
    same = system.verifier({"embedding_a": f[0], "embedding_b": f[1]})["probability"]
    expected = system.model({"image_a": first, "image_b": second})["verification"][:, :1]
    np.testing.assert_allclose(same, expected, rtol=1e-5)


def test_the_papers_loss_weights():
    assert build("multitask").loss_weights == {"identity_a": 0.5, "identity_b": 0.5, "verification": 1.0}


EVERYTHING = {
    "multitask": {
        "outputs": ["identity_a", "identity_b", "verification", "attributes", "embedding"],
        "batch_norm_neck": True,
    },
    "triplet": {"identity": True, "batch_norm_neck": True},
    "sharenet": {"identity": True, "embedding_dim": 6, "shared_layers": 1, "reduction": "mean"},
    "verification": {"batch_norm_neck": True},  # a bias before differences learns nothing
    "baseline": {"batch_norm_neck": True},
    "attribute": {"feature_dim": 6},
}


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_every_weight_learns_and_outputs_stay_float32(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        system = build(name, **EVERYTHING[name])
        assert {tensor.dtype for tensor in system.model.output.values()} == {"float32"}
        before = [np.array(variable) for variable in system.model.trainable_variables]
        system.model.compile(keras.optimizers.SGD(0.1), system.losses, loss_weights=system.loss_weights)
        inputs = {key: images(index) for index, key in enumerate(system.model.input)}
        # Several steps: float16 skips the first ones until its loss scale is low enough.
        system.model.fit(inputs, labels(system), epochs=8, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    unchanged = [
        variable.path
        for variable, old in zip(system.model.trainable_variables, before, strict=True)
        if np.array_equal(old, np.array(variable))
    ]
    assert not unchanged


@pytest.mark.parametrize("field", ["losses", "loss_weights", "targets"])
def test_keys_must_agree(field):
    system = build("multitask")
    renamed = {("identity" if key == "identity_a" else key): value for key, value in getattr(system, field).items()}
    with pytest.raises(InputError, match=rf"its {field} must name exactly these. Received: \['identity', "):
        dataclasses.replace(system, **{field: renamed})


def test_metrics_of_no_output():
    with pytest.raises(InputError, match="Metrics can only watch .*'identity_c'"):
        dataclasses.replace(build("multitask"), metrics={"identity_c": []})


def test_loss_weights_are_replaced_by_name():
    system = build("multitask").with_loss_weights({"verification": 0.0})
    assert system.loss_weights == {"identity_a": 0.5, "identity_b": 0.5, "verification": 0.0}
    with pytest.raises(InputError, match="'verificaton'. Did you mean 'verification'"):
        system.with_loss_weights({"verificaton": 1.0})
    with pytest.raises(InputError, match="must not be negative. Received: -1"):
        system.with_loss_weights({"verification": -1.0})


def test_batches_of_the_wrong_form():
    build("multitask").check_batches("identity_pairs")
    build("baseline").check_batches("identities")
    with pytest.raises(InputError, match="takes batches of pairs or identity_pairs. Received: 'images'"):
        build("multitask").check_batches("images")


def test_no_embedding_dimensions():
    with pytest.raises(InputError, match="'embedding_dim' .* must be at least 1. Received: 0"):
        build("multitask", embedding_dim=0)


def test_saved_models_load_and_agree(tmp_path):
    system = build("multitask", embedding_dim=7)
    inputs = {"image_a": images(0), "image_b": images(1)}
    system.model.save(tmp_path / "model.keras")
    system.verifier.save(tmp_path / "verifier.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    for key, value in system.model(inputs).items():
        np.testing.assert_allclose(again(inputs)[key], value, rtol=1e-5)
    assert set(keras.models.load_model(tmp_path / "verifier.keras").output) == {"probability"}
