import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report.blur import blurred


def noise(height=128, width=64):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_a_face_is_gone_and_the_rest_is_there():
    image = noise()
    seen = blurred(image, "faces")
    np.testing.assert_array_equal(seen[29:], image[29:])
    assert seen[:28].std() < 0.2 * image[:28].std()  # of noise, next to nothing is left


def test_only_an_upright_ellipse_is_left_of_what_is_around():
    image = noise()
    seen = blurred(image, "background")
    np.testing.assert_array_equal(seen[32:96, 16:48], image[32:96, 16:48])
    for corner in (seen[:10, :10], seen[-10:, -10:], seen[:, :3], seen[:, -3:]):
        assert corner.std() < 0.2 * image.std()


@pytest.mark.parametrize("what", ["faces", "background"])
@pytest.mark.parametrize("size", [(1, 1), (3, 100), (500, 2)])
def test_images_of_any_size(what, size):
    seen = blurred(noise(*size), what)
    assert (seen.shape, seen.dtype) == ((*size, 3), np.uint8)


def test_nothing_to_blur():
    image = noise()
    np.testing.assert_array_equal(blurred(image, None), image)


def test_other_arrays_are_refused():
    with pytest.raises(InputError, match="must be uint8 RGB"):
        blurred(noise().astype(np.float32), "faces")
    with pytest.raises(InputError, match="Unknown part to blur: 'hands'.*background, faces"):
        blurred(noise(), "hands")
