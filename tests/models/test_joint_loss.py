import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.joint_orders import PARTS
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES, MODELS
from tests.models.made_models import IDENTITIES, SIZE, build, images, labels, part_boxes

FORKED = {"shared_layers": 1, "grids": [[4, 3], [5, 3], [5, 4]]}
SLICES = {"global": slice(0, 256), "head": slice(256, 320), "trunk": slice(320, 448), "lower_limbs": slice(448, 576)}


def joint_loss(**options):
    return build("joint_loss", **{**FORKED, **options})


def batch(seed=0):
    return {"image": images(seed), "part_boxes": part_boxes(seed)}


def test_both_outputs_and_what_they_learn_from():
    system = joint_loss()
    assert {key: tensor.shape[1:] for key, tensor in system.model.output.items()} == {
        "identity": (IDENTITIES,),
        "embedding": (64 + 256 + 128 + 128,),
    }
    assert {key: tensor.shape[1:] for key, tensor in system.model.input.items()} == {
        "image": (*SIZE, 3),
        "part_boxes": (3, 4),
    }
    assert system.inputs == {"image": "image", "part_boxes": "part_boxes"}
    assert system.targets == {"identity": "identity", "embedding": "identity_and_pose"}
    assert system.loss_weights == {"identity": 1.0, "embedding": 1.0}
    assert (system.batches, system.distance, system.evaluation) == ("identities", "euclidean", "retrieval")
    for key in system.model.output:
        assert system.model.get_layer(key).name == key
    np.testing.assert_allclose(np.sum(system.model(batch())["identity"], axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "targets", "batches"),
    [
        (["identity"], {"identity": "identity"}, "images"),
        (["embedding"], {"embedding": "identity_and_pose"}, "identities"),
    ],
)
@pytest.mark.parametrize("parts", [True, False])
def test_each_output_alone(outputs, targets, batches, parts):
    system = joint_loss(outputs=outputs, parts=parts)
    assert (list(system.model.output), system.targets, system.batches) == (outputs, targets, batches)
    assert set(system.losses) == set(system.loss_weights) == set(system.metrics) == set(outputs)
    assert system.inputs == ({"image": "image", "part_boxes": "part_boxes"} if parts else {"image": "image"})
    assert set(system.model.input) == set(system.encoder.input) == set(system.inputs)
    assert set(system.encoder.output) == {"embedding"}


def test_without_parts_the_backbone_needs_no_stage_to_branch_at():
    system = build("joint_loss", parts=False, global_dim=7)
    assert system.model.output["embedding"].shape == (None, 7)
    features = system.model.get_layer("small_backbone_trunk")(images(0))["features"]
    kernel, bias = system.model.get_layer("global_projection").get_weights()
    expected = np.mean(features, axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(system.encoder({"image": images(0)})["embedding"], expected, rtol=1e-4, atol=1e-5)


def test_the_encoder_gives_the_embedding_that_is_trained():
    system = joint_loss()
    outputs = system.model(batch(), training=False)
    np.testing.assert_array_equal(system.encoder(batch())["embedding"], outputs["embedding"])
    kernel, bias = system.model.get_layer("identity_classifier").get_weights()
    expected = keras.ops.softmax(np.array(outputs["embedding"]) @ kernel + bias)
    np.testing.assert_allclose(outputs["identity"], expected, rtol=1e-4, atol=1e-6)


def test_the_branches_have_channels_and_weights_of_their_own():
    system = joint_loss(branch_widths=[0.5, 1.0, 2.0])
    branches = [system.model.get_layer(f"{part}_branch") for part in PARTS]
    # The small backbone's second stage, a 3x3 convolution of 6 channels without padding, on each part's grid.
    assert [one.input_shape[1:] for one in branches] == [(4, 3, 6), (5, 3, 6), (5, 4, 6)]
    assert [one.output_shape[1:] for one in branches] == [(2, 1, 3), (3, 1, 6), (3, 2, 12)]
    widths = [system.model.get_layer(f"{part}_projection").kernel.shape for part in PARTS]
    assert widths == [(3, 64), (6, 128), (12, 128)]
    of_backbone = system.model.get_layer("small_backbone_trunk").variables
    everything = [*of_backbone, *(variable for one in branches for variable in one.variables)]
    assert len({id(variable) for variable in everything}) == len(everything) == 4 + 3 * 2


@pytest.mark.parametrize("part", PARTS)
def test_a_parts_box_changes_only_its_part_of_the_embedding(part):
    system, given = joint_loss(), batch()
    given["part_boxes"][:] = (0.0, 0.0, 1.0, 0.4)
    before = np.array(system.encoder(given)["embedding"])
    given["part_boxes"][:, PARTS.index(part)] = (0.0, 0.6, 1.0, 1.0)
    after = np.array(system.encoder(given)["embedding"])
    assert np.abs(after[:, SLICES[part]] - before[:, SLICES[part]]).max(axis=1).min() > 1e-3
    for other in set(SLICES) - {part}:
        np.testing.assert_array_equal(after[:, SLICES[other]], before[:, SLICES[other]])


@pytest.mark.parametrize("part", PARTS)
def test_what_lies_outside_of_a_part_does_not_reach_it(part):
    """Pixels below a box change the global features and no part whose box ends well above them."""
    system, given = joint_loss(), batch()
    given["part_boxes"][:] = (0.0, 0.0, 1.0, 0.4)
    before = np.array(system.encoder(given)["embedding"])
    given["image"][:, 12:] = 0
    after = np.array(system.encoder(given)["embedding"])
    np.testing.assert_array_equal(after[:, SLICES[part]], before[:, SLICES[part]])
    assert np.abs(after[:, SLICES["global"]] - before[:, SLICES["global"]]).max() > 1e-3


def test_a_neck_stands_between_the_two_losses():
    system = joint_loss(batch_norm_neck=True)
    assert system.distance == "cosine"
    system.model.get_layer("neck").set_weights([np.full(576, 2.0), np.full(576, 0.1), np.ones(576)])
    outputs, encoded = system.model(batch()), np.array(system.encoder(batch())["embedding"])
    expected = (np.array(outputs["embedding"]) - 0.1) * 2 / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(encoded, expected, rtol=1e-4, atol=1e-5)
    kernel, bias = system.model.get_layer("identity_classifier").get_weights()
    np.testing.assert_allclose(outputs["identity"], keras.ops.softmax(encoded @ kernel + bias), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("triplet", "distance"),
    [({"margin": "soft"}, "euclidean"), ({"distance": "cosine"}, "cosine"), ({"normalize": True}, "cosine")],
)
def test_it_ranks_by_what_the_triplet_loss_compares(triplet, distance):
    assert build("joint_loss", parts=False, triplet=triplet).distance == distance


def test_the_options_reach_their_layers_and_losses():
    system = build(
        "joint_loss",
        parts=False,
        dropout=0.25,
        classifier_dropout=0.125,
        label_smoothing=0.1,
        triplet={"margin": 0.5, "different_pose": 0.2, "mining": "all"},
    )
    assert system.model.get_layer("projection_dropout").rate == 0.25
    assert system.model.get_layer("identity_dropout").rate == 0.125
    assert system.losses["identity"].get_config()["label_smoothing"] == 0.1
    config = system.losses["embedding"].get_config()
    assert (config["margin"], config["different_pose"], config["mining"]) == (0.5, 0.2, "all")
    assert build("joint_loss", parts=False).model.get_layer("projection_dropout").rate == 0.5  # as in the paper


def test_both_losses_see_the_dropout_and_the_encoder_does_not():
    system = joint_loss(dropout=0.5)
    embedded = np.asarray(system.model(batch(), training=True)["embedding"])
    assert 0.3 < np.mean(embedded == 0) < 0.7
    still = [np.asarray(system.encoder(batch(), training=False)["embedding"]) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert np.mean(still[0] == 0) < 0.01


@pytest.mark.parametrize("outputs", [["identity"], ["embedding"]])
def test_either_loss_reaches_every_branch_and_the_shared_part(outputs):
    system = joint_loss(outputs=outputs)
    with tf.GradientTape() as tape:
        predicted = system.model(batch(), training=True)
        loss = tf.reduce_sum([system.losses[key](labels(system)[key], value) for key, value in predicted.items()])
    variables = {variable.path: variable.value for variable in system.model.trainable_variables}
    gradients = dict(zip(variables, tape.gradient(loss, list(variables.values())), strict=True))
    kernels = [path for path in variables if path.endswith("/kernel")]
    assert len(kernels) == 2 + 3 + 4 + (outputs == ["identity"])  # backbone, branches, projections, classifier
    for path in kernels:
        assert np.any(gradients[path]), path


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_every_weight_learns_and_outputs_stay_float32(policy):
    keras.config.set_dtype_policy(policy)
    try:
        system = joint_loss(batch_norm_neck=True)
        assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in system.model.output.values()} == {"float32"}
        before = [np.array(variable) for variable in system.model.trainable_variables]
        system.model.compile(
            keras.optimizers.SGD(0.1), system.losses, loss_weights=system.loss_weights, metrics=system.metrics
        )
        history = system.model.fit(batch(), labels(system), epochs=8, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    pairs = zip(system.model.trainable_variables, before, strict=True)
    assert not [variable.path for variable, old in pairs if np.array_equal(old, np.array(variable))]
    assert {"identity_accuracy", "embedding_active_triplets"} <= set(history)
    assert np.isfinite(history["loss"]).all()


def test_saved_models_load_and_agree(tmp_path):
    system = joint_loss(batch_norm_neck=True)
    for name, model in (("model", system.model), ("encoder", system.encoder)):
        model.save(tmp_path / f"{name}.keras")
        again = keras.models.load_model(tmp_path / f"{name}.keras", compile=False)(batch())
        assert set(again) == set(model.output)
        for key, value in model(batch()).items():
            np.testing.assert_array_equal(again[key], value)


def test_the_papers_backbone_at_its_smallest(tmp_path):
    keras.utils.set_random_seed(1)
    backbone = BACKBONES.build({"name": "pose_inception", "width": 0.03}, image_size=(43, 39))
    system = MODELS.build(
        {"name": "joint_loss", "grids": [[7, 7], [9, 7], [9, 7]]}, backbone=backbone, num_identities=IDENTITIES
    )
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 43, 39, 3)).astype(np.float32)
    given = {"image": pictures, "part_boxes": part_boxes(0)}
    embedding = system.encoder(given)["embedding"]
    assert embedding.shape == (4, 576)
    narrow, wide, _ = (system.model.get_layer(f"{part}_branch").output_shape[-1] for part in PARTS)
    assert (wide, 2 * narrow) == (backbone.output_shape[-1],) * 2
    system.encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras", compile=False)
    np.testing.assert_array_equal(again(given)["embedding"], embedding)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": []}, r"'joint_loss' needs at least one output. Received: outputs=\(\)"),
        ({"outputs": ["verification"]}, r"'identity' or 'embedding'.*Received: 'verification'"),
        ({"shared_layers": 0}, "shared_layers must be 1 to 2, .*'small_backbone', .*Received: 0"),
        ({"shared_layers": 4}, "shared_layers must be 1 to 2, .*Received: 4"),
        ({"shared_layers": 2}, "above one of the stages 1 to 1 of the backbone 'small_backbone'. Received: stage=2"),
        ({"global_dim": 0}, "'global_dim' .* must be at least 1. Received: 0"),
        ({"part_dims": [64, 0, 128]}, "'part_dims' .* must be at least 1. Received: 0"),
        ({"part_dims": [64, 128]}, r"Option 'part_dims' of the model 'joint_loss'.* is wrong"),
        ({"grids": [[4, 3], [5, 3], [5, 2]]}, r"leave nothing of so small a map.*'lower_limbs': grid=\(5, 2\)"),
        ({"grids": [[0, 3], [5, 3], [5, 3]]}, r"grid must hold two numbers of at least 1.*Received: grid=\(0, 3\)"),
        ({"branch_widths": [0.0, 1.0, 1.0]}, "width must be above 0. Received: width=0.0"),
        (
            {"outputs": ["embedding"], "batch_norm_neck": True},
            r"needs the output 'identity'. Received: batch_norm_neck=True, outputs=",
        ),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\). Received: dropout=1.0"),
        ({"triplet": {"same_pose": 0.0}}, "same_pose must be above 0, or null. Received: same_pose=0.0"),
        (
            {"triplet": {"reductoin": "sum"}},
            "model 'joint_loss', metric_loss 'pose_triplet': 'reductoin'",
        ),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message):
        joint_loss(**options)
