import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES, MODELS
from tests.models.made_models import SIZE, build, images, labels, small_backbone

SMALL = {"width": 4, "stages": 3, "refinement_convolutions": 2}


def test_every_stage_has_a_map_for_each_landmark_and_the_background():
    system = build("cpm", **SMALL)
    height, width = small_backbone().output_shape[1:3]
    assert {key: tensor.shape[1:] for key, tensor in system.model.output.items()} == {
        f"stage{stage}": (height, width, 19) for stage in (1, 2, 3)
    }
    assert (system.batches, system.evaluation, system.encoder) == ("images", "landmarks", None)
    assert system.inputs == {"image": "image"}
    assert system.targets == {"stage1": "landmarks", "stage2": "landmarks", "stage3": "landmarks"}
    assert set(system.loss_weights.values()) == {1.0}


def test_the_published_sizes_are_the_default():
    """OpenPose's: ten layers of VGG-19, then in each later stage five 7x7 and two 1x1 convolutions of 128 channels."""
    backbone = BACKBONES.build({"name": "vgg_front"}, image_size=(64, 32))
    model = MODELS.build({"name": "cpm"}, backbone=backbone).model
    assert set(model.output) == {f"stage{stage}" for stage in range(1, 7)}
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    kernels = [tuple(layer.kernel.shape) for layer in convolutions if layer.name.startswith("stage6_")]
    assert kernels == [(7, 7, 128 + 19, 128), *[(7, 7, 128, 128)] * 4, (1, 1, 128, 128), (1, 1, 128, 19)]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_beliefs_are_float32_whatever_the_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        system = build("cpm", **SMALL)
        beliefs = system.model({"image": images(0)})
    finally:
        keras.config.set_dtype_policy("float32")
    assert {keras.backend.standardize_dtype(maps.dtype) for maps in beliefs.values()} == {"float32"}


def test_each_stages_loss_reaches_the_backbone_and_no_later_stage():
    system = build("cpm", **SMALL)
    targets = labels(system)
    with tf.GradientTape(persistent=True) as tape:
        outputs = system.model({"image": images(0)}, training=True)
        losses = {key: system.losses[key](targets[key], maps) for key, maps in outputs.items()}
    for stage in (1, 2, 3):
        variables = {variable.path: variable.value for variable in system.model.trainable_variables}
        gradients = dict(zip(variables, tape.gradient(losses[f"stage{stage}"], list(variables.values())), strict=True))
        reached = {path for path, gradient in gradients.items() if gradient is not None and np.any(gradient)}
        assert any("small_backbone" in path or path.startswith("stage1/") for path in reached)
        later = [f"stage{other}_" for other in range(stage + 1, 4)]
        assert not [path for path in reached if path.startswith(tuple(later))]
        assert f"stage{stage}_beliefs/kernel" in reached


def test_the_branch_of_fields_learns_through_the_next_stages_beliefs():
    system = build("cpm", **SMALL, affinity_fields=6, feature_channels=(5, 3), first_stage_width=7)
    kernels = {variable.path: tuple(variable.shape) for variable in system.model.weights if variable.name == "kernel"}
    assert kernels["features_1_conv/kernel"][3] == 5
    assert kernels["features_conv/kernel"] == (3, 3, 5, 3)
    assert kernels["stage1_fields/kernel"] == (1, 1, 7, 6)
    assert kernels["stage2_1_conv/kernel"][2] == kernels["stage2_fields_1_conv/kernel"][2] == 6 + 19 + 3
    assert not [path for path in kernels if path.startswith("stage3_fields")]
    for variable in system.model.trainable_variables:  # the last convolutions begin too small for the first ones
        variable.assign_add(np.random.default_rng(0).normal(0, 0.05, variable.shape))
    targets, variables = labels(system), system.model.trainable_variables
    with tf.GradientTape() as tape:
        outputs = system.model({"image": images(0)}, training=True)
        loss = tf.add_n([system.losses[key](targets[key], maps) for key, maps in outputs.items()])
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert variable.name != "kernel" or np.any(gradient), variable.path


def test_without_normalisation_convolutions_have_a_bias():
    backbone = BACKBONES.build({"name": "vgg_front", "batch_normalization": False}, image_size=(16, 16))
    model = MODELS.build({"name": "cpm", **SMALL, "batch_normalization": False}, backbone=backbone).model
    assert {variable.name for variable in model.weights} == {"kernel", "bias"}
    for part in (backbone, model):
        convolutions = [layer for layer in part.layers if isinstance(layer, keras.layers.Conv2D)]
        assert convolutions
        assert all(layer.use_bias for layer in convolutions)


def test_later_stages_see_further():
    """How far down the picture the beliefs of the first row look, with weights that let no influence vanish."""
    backbone = BACKBONES.build(
        {"name": "vgg_front", "stackwise_num_convolutions": [1, 1, 1], "stackwise_channels": [4, 4, 4]},
        image_size=(128, 16),
    )
    model = MODELS.build({"name": "cpm", **SMALL}, backbone=backbone).model
    for variable in model.trainable_variables:
        if variable.name == "kernel":
            variable.assign(np.full(variable.shape, 1 / np.prod(variable.shape[:-1])))
    image = tf.Variable(np.random.default_rng(0).uniform(200, 255, (1, 128, 16, 3)), dtype="float32")
    with tf.GradientTape(persistent=True) as tape:
        first_rows = {key: tf.reduce_sum(maps[:, 0]) for key, maps in model({"image": image}).items()}
    reach = {key: np.argwhere(tape.gradient(row, image))[:, 1].max() // 4 for key, row in first_rows.items()}  # cells
    further = 2 * 3  # two 7x7 convolutions, each three beyond its middle
    assert reach["stage2"] == reach["stage1"] + further
    assert reach["stage3"] == reach["stage2"] + further


@pytest.mark.slow
def test_it_learns_where_a_bright_spot_is():
    rng = np.random.default_rng(0)
    system = build("cpm", width=8, stages=2, refinement_convolutions=1, refinement_kernel=3)
    pictures, landmarks = np.zeros((32, *SIZE, 3), np.float32), np.zeros((32, 18, 3), np.float32)
    for picture, points in zip(pictures, landmarks, strict=True):
        row, column = rng.integers(3, SIZE[0] - 3), rng.integers(2, SIZE[1] - 2)
        picture[row - 1 : row + 2, column - 1 : column + 2] = 255
        points[:] = (column + 0.5) / SIZE[1], (row + 0.5) / SIZE[0], 1.0
    system.model.compile(keras.optimizers.Adam(0.02), system.losses, jit_compile=False)
    history = system.model.fit(
        {"image": pictures}, dict.fromkeys(system.targets, landmarks), batch_size=32, epochs=60, verbose=0
    ).history
    assert history["stage2_loss"][-1] < 0.3 * history["stage2_loss"][0]


def test_the_saved_model_loads_and_agrees(tmp_path):
    model = MODELS.build(
        {"name": "cpm", **SMALL},
        backbone=BACKBONES.build(
            {"name": "vgg_front", "stackwise_num_convolutions": [1, 1], "stackwise_channels": [4, 4]}, image_size=SIZE
        ),
    ).model  # its backbone has layers called stage1 and stage2, too
    for variable in model.trainable_variables:
        variable.assign_add(np.random.default_rng(0).normal(0, 0.1, variable.shape))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    expected = model({"image": images(0)})
    assert set(again.output) == set(expected)
    for key, maps in again({"image": images(0)}).items():
        np.testing.assert_allclose(maps, expected[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": 0}, "'stages' .* must be at least 1. Received: 0"),
        ({"width": -1}, "'width' .* must be at least 1. Received: -1"),
        ({"refinement_convolutions": 0}, "'refinement_convolutions' .* must be at least 1. Received: 0"),
        ({"refinement_kernel": 6}, "refinement_kernel must be odd. Received: refinement_kernel=6"),
        ({"affinity_fields": -1}, "'affinity_fields' .* must be at least 0. Received: -1"),
        ({"first_stage_width": 0}, "'first_stage_width' .* must be at least 1. Received: 0"),
        ({"feature_channels": (8, 0)}, "'feature_channels' .* must be at least 1. Received: 0"),
        ({"sigma": -1.0}, "sigma must be positive. Received: sigma=-1.0"),
        ({"peak_weight": -0.5}, "peak_weight must not be negative. Received: peak_weight=-0.5"),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message):
        build("cpm", **options)
