import keras
import numpy as np

from reid_tf.layers import SplitPairs, SquareDifference, StackPairs


def test_split_undoes_stack_and_pairs_stay_side_by_side():
    a, b = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    stacked = keras.ops.convert_to_numpy(StackPairs()(a, b))
    np.testing.assert_array_equal(stacked, np.stack([a[0], b[0], a[1], b[1], a[2], b[2]]))
    for side, expected in zip(SplitPairs()(stacked), (a, b), strict=True):
        np.testing.assert_array_equal(side, expected)


def test_shapes_without_running():
    a, b = keras.Input((4, 5)), keras.Input((4, 5))
    stacked = StackPairs()(a, b)
    assert stacked.shape == (None, 4, 5)
    assert [side.shape for side in SplitPairs()(stacked)] == [(None, 4, 5)] * 2


def test_square_difference_is_squared_and_symmetric():
    a, b = np.array([[1.0, -2.0, 0.5]]), np.array([[3.0, 1.0, 0.5]])
    np.testing.assert_allclose(SquareDifference()(a, b), [[4.0, 9.0, 0.0]])
    np.testing.assert_allclose(SquareDifference()(b, a), [[4.0, 9.0, 0.0]])
