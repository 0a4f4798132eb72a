import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.backbones.fork import branch, count_stages, trunk
from reid_tf.errors import InputError
from reid_tf.layers import RoIMaxPooling
from reid_tf.registry import BACKBONES

SIZE = (64, 48)
NARROW = {
    "pose_inception": {"width": 0.125},
    "resnet18": {"width": 8},
    "tiny": {"width": 4},
    "osnet_x0_25": {},
}
FORKS = [("pose_inception", 4), ("resnet18", 3), ("tiny", 2)]  # the stage below the branches
every_fork = pytest.mark.parametrize(("name", "stage"), FORKS)


def build(name: str, size: tuple[int, int] = SIZE, **options) -> keras.Model:
    keras.utils.set_random_seed(0)
    return BACKBONES.build({"name": name, **NARROW.get(name, {}), **options}, image_size=size)


def maps_for(model: keras.Model, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (count, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize(
    ("grid", "width", "output"),
    [((13, 13), 0.5, (2, 2, 640)), ((25, 13), 1.0, (5, 2, 1280)), ((25, 13), 2, (5, 2, 2560))],
)
def test_the_branches_of_the_paper(grid, width, output):
    part = branch(build("pose_inception", (219, 103), width=1.0), 4, grid, width, "head")
    assert part.input_shape == (None, *grid, 288)
    assert part.output_shape[1:] == output


@pytest.mark.parametrize(
    ("name", "stage", "grid", "width", "output"),
    [
        ("resnet18", 3, (13, 13), 0.5, (4, 4, 32)),
        ("resnet18", 1, (4, 4), 1.0, (1, 1, 64)),
        ("tiny", 2, (13, 13), 0.5, (4, 4, 8)),
        ("tiny", 3, (1, 1), 1.0, (1, 1, 16)),
        ("osnet_x0_25", 2, (8, 8), 0.5, (4, 4, 64)),
    ],
)
def test_branches_of_other_backbones(name, stage, grid, width, output):
    backbone = build(name)
    part = branch(backbone, stage, grid, width, "trunk")
    assert part.input_shape[1:] == (*grid, backbone.get_layer(f"stage{stage}").output.shape[-1])
    assert part.output_shape[1:] == output


@every_fork
def test_the_same_weights_give_the_features_of_the_backbones_top(name, stage):
    backbone = build(name)
    below = backbone.get_layer(f"stage{stage}").output
    top = keras.Model(below, backbone.output)
    part = branch(backbone, stage, below.shape[1:3], 1.0, "trunk")
    features = maps_for(part)
    assert np.abs(np.array(part(features)) - np.array(top(features))).max() > 1e-3
    part.set_weights(top.get_weights())
    np.testing.assert_allclose(part(features), top(features), rtol=1e-5, atol=1e-6)


@every_fork
def test_each_branch_has_weights_of_its_own(name, stage):
    backbone = build(name)
    parts = [branch(backbone, stage, (13, 7), 1.0, part) for part in ("trunk", "lower_limbs")]
    models = [backbone, *parts]
    for one, other in itertools.combinations(models, 2):
        assert not {id(v) for v in one.variables} & {id(v) for v in other.variables}
        assert not {v.path for v in one.variables} & {v.path for v in other.variables}
    top = keras.Model(backbone.get_layer(f"stage{stage}").output, backbone.output)
    for kernels in zip(*(model.trainable_variables for model in (top, *parts)), strict=True):
        if kernels[0].path.endswith("kernel"):
            for one, other in itertools.combinations(kernels, 2):
                assert not np.any(np.array(one) == np.array(other))


@every_fork
def test_every_weight_gets_a_gradient(name, stage):
    part = branch(build(name), stage, (13, 7), 0.5, "head")
    features = tf.constant(maps_for(part, 4))
    with tf.GradientTape() as tape:
        output = part(features, training=True)
        loss = tf.reduce_mean(output * tf.random.stateless_normal(tf.shape(output), (1, 2)))
    variables = part.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, [v.value for v in variables]), strict=True):
        assert np.all(np.isfinite(gradient)), variable.path
        assert np.any(gradient), variable.path


def test_the_same_seed_gives_the_same_branches():
    first, second = (branch(build("tiny"), 2, (7, 7), 1.0, "head") for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@every_fork
def test_two_branches_and_a_trunk_in_one_saved_model(name, stage, tmp_path):
    backbone = build(name)
    image, boxes = keras.Input((*SIZE, 3), name="image"), keras.Input((4,), name="boxes")
    maps = trunk(backbone, stage)(image)
    outputs = {"features": maps["features"]}
    for part, grid, width in (("head", (13, 13), 0.5), ("trunk", (25, 13), 1.0)):
        inside = RoIMaxPooling(grid, name=f"{part}_roi")(maps["fork"], boxes)
        outputs[part] = branch(backbone, stage, grid, width, part)(inside)
    model = keras.Model({"image": image, "boxes": boxes}, outputs)
    assert len({variable.path for variable in model.variables}) == len(model.variables)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    rng = np.random.default_rng(0)
    inputs = {
        "image": rng.uniform(0, 255, (2, *SIZE, 3)).astype(np.float32),
        "boxes": np.float32([[0.1, 0.0, 0.8, 0.3], [0.0, 0.2, 1.0, 1.0]]),
    }
    again = loaded(inputs)
    for key, value in model(inputs).items():
        np.testing.assert_array_equal(again[key], value)


def test_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        part = branch(build("tiny"), 2, (7, 7), 0.5, "head")
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(part.input.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(part.output.dtype) == "bfloat16"
    assert {variable.dtype for variable in part.variables} == {"float32"}


def test_a_trunk_without_a_fork():
    backbone = build("tiny")
    assert set(trunk(backbone).output) == {"features"}
    assert trunk(backbone, 2).output["fork"].shape == backbone.get_layer("stage2").output.shape


@pytest.mark.parametrize("stage", [0, 4, 9])
def test_no_such_stage(stage):
    backbone = build("tiny")
    assert count_stages(backbone) == 4
    with pytest.raises(InputError, match=f"one of the stages 1 to 3 of the backbone 'tiny'. Received: stage={stage}"):
        branch(backbone, stage, (7, 7), 1.0, "head")


@pytest.mark.parametrize(
    ("name", "options", "grid"),
    [
        ("pose_inception", {}, (6, 13)),
        ("pose_inception", {}, (2, 1)),
        ("caffenet", {"width_multiplier": 0.05}, (12, 13)),
    ],
)
def test_a_grid_that_is_too_small(name, options, grid):
    backbone = build(name, (227, 227), **options)
    rows, columns = grid
    expected = (
        rf"above stage4 of the backbone '{name}' leave nothing of so small a map. .*'head': grid=\({rows}, {columns}\)"
    )
    for width in (1.0, 0.5):
        with pytest.raises(InputError, match=expected):
            branch(backbone, 4, grid, width, "head")


def test_a_width_that_the_shortcuts_do_not_take():
    with pytest.raises(InputError, match=r"above stage1 of .*'resnet18' cannot have other channel.*width=0.5"):
        branch(build("resnet18"), 1, (7, 7), 0.5, "head")


def test_a_width_of_nothing():
    with pytest.raises(InputError, match="width must be above 0. Received: width=0"):
        branch(build("tiny"), 2, (7, 7), 0, "head")
