import cv2
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.gallery.pictures import GREY, HIGHEST, Pictures, shrunk
from reid_tf.report.blur import blurred
from tests.commands.made_run import write_image


def test_nothing_outside_the_roots_is_shown(tmp_path, crops):
    outside = write_image(tmp_path / "secret.png", 9, 9, 9)
    (crops / "link.png").symlink_to(tmp_path / "secret.png")
    pictures = Pictures([crops])
    assert tuple(pictures.small(str(crops / "red.png"))[0, 0]) == (200, 20, 20)
    for path in (outside, crops / "link.png", crops / ".." / "secret.png", crops, "", "s3://bucket/a.png"):
        assert pictures.path(str(path)) is None
        assert pictures.small(str(path)) is GREY


def test_faces_are_blurred(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (100, 50, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    plain, hidden = (Pictures([tmp_path], blur).small(str(tmp_path / "a.png")) for blur in (None, "faces"))
    np.testing.assert_array_equal(hidden, blurred(plain, "faces"))
    assert (hidden != plain).any()


def test_an_unreadable_file_is_grey(crops):
    (crops / "torn.png").write_bytes(b"no image")
    assert Pictures([crops]).small(str(crops / "torn.png")) is GREY


def test_pictures_are_made_small():
    assert shrunk(np.zeros((2 * HIGHEST, 100, 3), np.uint8)).shape == (HIGHEST, 50, 3)
    assert shrunk(np.zeros((50, 1000, 3), np.uint8)).shape == (50, 1000, 3)


@pytest.mark.parametrize("roots", [[], ["nowhere"]])
def test_roots_are_folders(roots):
    with pytest.raises(InputError, match="folders that exist"):
        Pictures(roots)
