import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report.heat import heat


def test_the_image_stays_where_the_map_is_0_and_glows_where_it_is_1():
    image = np.full((32, 16, 3), 100, np.uint8)
    likeness = np.zeros((32, 16), np.float32)
    likeness[:8] = 1
    shown = heat(image, likeness)
    np.testing.assert_array_equal(shown[16:], 100)
    assert (shown[:4] > 150).any()
    assert shown.dtype == np.uint8


def test_a_smaller_map_is_enlarged():
    assert heat(np.zeros((32, 16, 3), np.uint8), np.eye(2)).shape == (32, 16, 3)


@pytest.mark.parametrize("likeness", [np.zeros(3), np.full((2, 2), 1.5), np.full((2, 2), np.nan), np.zeros((0, 2))])
def test_other_maps_are_refused(likeness):
    with pytest.raises(InputError, match="values in 0 .. 1. Received: shape"):
        heat(np.zeros((4, 4, 3), np.uint8), likeness)
