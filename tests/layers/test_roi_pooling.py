"""RoI max pooling against a loop over cells."""

import inspect
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.layers import RoIMaxPooling

HEIGHT, WIDTH, CHANNELS = 11, 7, 3
BOXES = {
    "inside": (0.13, 0.22, 0.71, 0.93),
    "whole image": (0.0, 0.0, 1.0, 1.0),
    "smaller than a cell": (0.42, 0.41, 0.44, 0.43),
    "at the right and bottom border": (0.8, 0.9, 1.0, 1.0),
    "at the left and top border": (0.0, 0.0, 0.05, 0.3),
    "no size": (0.5, 0.5, 0.5, 0.5),
    "no size in the last corner": (1.0, 1.0, 1.0, 1.0),
    "turned round": (0.6, 0.7, 0.2, 0.3),
    "on the edges of rows and columns": (2 / 7, 3 / 11, 5 / 7, 9 / 11),
    "partly outside": (-0.3, -0.1, 0.4, 1.2),
}


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(BOXES), HEIGHT, WIDTH, CHANNELS)).astype(np.float32)


@pytest.fixture
def boxes() -> np.ndarray:
    return np.array(list(BOXES.values()), np.float32)


def cell(start: float, end: float, size: int, index: int, cells: int) -> slice:
    start, end = np.clip([start, end], 0, 1)
    end = max(start, end)
    step = (end - start) * size / cells
    # A border on the edge of a row is that edge.
    first = min(math.floor(start * size + index * step + 1e-4), size - 1)
    return slice(first, max(first + 1, min(math.ceil(start * size + (index + 1) * step - 1e-4), size)))


def naive(features: np.ndarray, boxes: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    result = np.empty((len(features), *grid, features.shape[-1]), features.dtype)
    for image, row, column in np.ndindex(len(features), *grid):
        left, top, right, bottom = boxes[image].astype(np.float64)
        rows = cell(top, bottom, features.shape[1], row, grid[0])
        columns = cell(left, right, features.shape[2], column, grid[1])
        result[image, row, column] = features[image, rows, columns].max(axis=(0, 1))
    return result


@pytest.mark.parametrize("grid", [(4, 3), (1, 1), (11, 7), (25, 13)])
def test_equals_the_loop(features, boxes, grid):
    np.testing.assert_array_equal(RoIMaxPooling(grid)(features, boxes), naive(features, boxes, grid))


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_loop_for_random_boxes(seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(40, 16, 8, 2)).astype(np.float32)
    corners = np.sort(rng.uniform(0, 1, (40, 2, 2)), axis=1).reshape(40, 4).astype(np.float32)
    np.testing.assert_array_equal(RoIMaxPooling((5, 3))(features, corners), naive(features, corners, (5, 3)))


def test_the_whole_map_in_a_grid_of_its_size_is_the_map(features):
    whole = np.tile(np.float32([0, 0, 1, 1]), (len(features), 1))
    np.testing.assert_array_equal(RoIMaxPooling((HEIGHT, WIDTH))(features, whole), features)


@pytest.mark.parametrize(("size", "grid"), [(51, 25), (51, 13), (23, 13), (49, 7), (33, 15)])
def test_the_whole_map_has_cells_without_rounding_errors(size, grid):
    ramp = np.tile(np.arange(size, dtype=np.float32)[:, None, None], (1, 1, 1, 1))
    last = np.asarray(RoIMaxPooling((grid, 1))(ramp, np.float32([[0, 0, 1, 1]]))).ravel()
    np.testing.assert_array_equal(last, [-(-size * (index + 1) // grid) - 1 for index in range(grid)])


def test_the_gradient_reaches_the_maximum_of_each_cell_and_no_box(features, boxes):
    weights = np.random.default_rng(1).normal(size=(len(features), 4, 3, CHANNELS)).astype(np.float32)
    x, edges = tf.Variable(features), tf.Variable(boxes)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(RoIMaxPooling((4, 3))(x, edges) * weights)
    gradient, of_boxes = tape.gradient(total, [x, edges])
    expected = np.zeros_like(features)
    for image, row, column, channel in np.ndindex(weights.shape):
        left, top, right, bottom = boxes[image].astype(np.float64)
        rows, columns = cell(top, bottom, HEIGHT, row, 4), cell(left, right, WIDTH, column, 3)
        window = features[image, rows, columns, channel]
        y, x_ = np.unravel_index(window.argmax(), window.shape)
        expected[image, rows.start + y, columns.start + x_, channel] += weights[image, row, column, channel]
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-5, atol=1e-5)
    assert of_boxes is None


def test_equal_values_share_one_gradient():
    flat = tf.Variable(np.ones((1, 6, 4, 1), np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(RoIMaxPooling((2, 2))(flat, np.float32([[0, 0, 1, 1]])))
    assert float(tf.reduce_sum(tape.gradient(total, flat))) == pytest.approx(4.0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_boxes_stay_float32_where_features_are_half(policy):
    # 0.505 of 200 rows is row 101; in bfloat16 it is 0.5039 and row 100.
    ramp = np.tile((np.arange(200) % 128).astype(np.float32)[None, :, None, None], (1, 1, 2, 1))
    box = np.float32([[0, 0.505, 1, 0.51]])
    half = tf.cast(ramp, policy.removeprefix("mixed_"))
    pooled = RoIMaxPooling((1, 1), dtype=policy)(half, box)
    assert pooled.dtype == half.dtype
    assert float(tf.squeeze(pooled)) == 101.0
    inputs = [keras.Input((200, 2, 1), dtype=half.dtype.name), keras.Input((4,))]
    model = keras.Model(inputs, RoIMaxPooling((1, 1), dtype=policy)(*inputs))
    assert keras.backend.standardize_dtype(model.output.dtype) == half.dtype.name
    assert float(tf.squeeze(model([half, tf.constant(box)]))) == 101.0


def test_shapes_are_known_before_it_runs():
    features, boxes = keras.Input((51, 23, 288)), keras.Input((4,))
    assert RoIMaxPooling((25, 13))(features, boxes).shape == (None, 25, 13, 288)


def test_saved_and_loaded_inside_a_model(tmp_path, features, boxes):
    inputs = [keras.Input((HEIGHT, WIDTH, CHANNELS)), keras.Input((4,))]
    model = keras.Model(inputs, RoIMaxPooling((4, 3), name="head_roi")(*inputs))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.get_layer("head_roi").grid == (4, 3)
    np.testing.assert_array_equal(loaded([features, boxes]), model([features, boxes]))


def test_the_configuration_names_every_argument():
    arguments = set(inspect.signature(RoIMaxPooling.__init__).parameters) - {"self", "kwargs"}
    assert arguments <= set(RoIMaxPooling((4, 3)).get_config())


@pytest.mark.parametrize("grid", [(0, 3), (4, -1), (4,), (1, 2, 3)])
def test_a_grid_without_cells_is_named(grid):
    with pytest.raises(InputError, match=r"grid must hold two numbers of at least 1.*Received: grid=\("):
        RoIMaxPooling(grid)
