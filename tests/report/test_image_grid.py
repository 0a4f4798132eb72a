import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report.image_grid import image_grid


def plain(value, height=20, width=10):
    return np.full((height, width, 3), value, np.uint8)


def test_images_stand_in_order():
    picture = image_grid([plain(value) for value in (10, 20, 30, 40, 50)], columns=2, tile=(20, 10))
    gap, height, width = 6, 20 + 6, 10 + 6
    assert picture.shape == (3 * height + gap, 2 * width + gap, 3)
    values = [[int(picture[gap + row * height, gap + column * width, 0]) for column in (0, 1)] for row in (0, 1, 2)]
    assert values == [[10, 20], [30, 40], [50, 255]]


def test_sizes_may_differ():
    picture = image_grid([plain(0), plain(0, 30, 90), plain(0, 300, 200)], columns=3)
    assert picture.shape == (256 + 12, 3 * (128 + 6) + 6, 3)


def test_captions_make_room_for_the_longest():
    images = [plain(90), plain(90)]
    assert image_grid(images, ["id 1", "id 2\ncam 3"]).shape[0] == image_grid(images).shape[0] + 2 * 18
    drawn, blank = (image_grid(images, ["", second])[262:280] for second in ("id 2", ""))
    assert (drawn[:, 140:] != blank[:, 140:]).any()
    assert (drawn[:, :134] == blank[:, :134]).all()


def test_another_image_stands_above_each():
    images, above = [plain(value) for value in (10, 20, 30)], [plain(value) for value in (110, 120, 130)]
    picture = image_grid(images, ["a", "b", "c"], columns=2, tile=(20, 10), above=above)
    gap, height = 6, 20 + 2 + 20 + 18 + 6
    assert picture.shape == (2 * height + gap, 2 * 16 + gap, 3)
    values = [[int(picture[gap + place, 6, 0]) for place in (0, 19, 20, 21, 22, 41)] for gap in (6, 6 + height)]
    assert values == [[110, 110, 255, 255, 10, 10], [130, 130, 255, 255, 30, 30]]


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "at least one image. Received: 0 images"),
        ([plain(1)], {"columns": 0}, "columns must be a whole number of at least 1. Received: columns=0"),
        ([plain(1)], {"captions": ["a", "b"]}, "2 captions for 1 images"),
        ([plain(1), plain(2)], {"above": [plain(1)]}, "1 images above 2 images"),
        ([plain(1)[..., 0]], {}, r"Received: \(20, 10\)"),
    ],
)
def test_refuses_what_makes_no_grid(images, options, message):
    with pytest.raises(InputError, match=message):
        image_grid(images, **options)
