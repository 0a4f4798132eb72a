import cv2
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report.picture import BACKGROUND, captioned, framed, letterbox, sheet, write_png

RED = np.full((4, 6, 3), (250, 10, 20), np.uint8)


def test_a_png_file_holds_the_rgb_picture(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (12, 7, 3), np.uint8)
    write_png(tmp_path / "folder" / "x.png", picture)
    read = cv2.imread(str(tmp_path / "folder" / "x.png"), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read[..., ::-1], picture)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    ("name", "picture", "message"),
    [
        ("x.jpg", RED, r"\.png files. Received: .*x\.jpg"),
        ("x.png", RED[..., 0], r"Received: \(4, 6\), uint8"),
        ("x.png", RED / 255, r"Received: \(4, 6, 3\), float64"),
        ("x.png", RED[:0], r"Received: \(0, 6, 3\)"),
    ],
)
def test_refuses_what_is_no_picture(tmp_path, name, picture, message):
    with pytest.raises(InputError, match=message):
        write_png(tmp_path / name, picture)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("size", "inside"), [((64, 16), (256, 64)), ((10, 40), (32, 128)), ((512, 256), (256, 128))])
def test_letterbox_keeps_the_proportions(size, inside):
    tile = letterbox(np.zeros((*size, 3), np.uint8))
    assert tile.shape == (256, 128, 3)
    dark = (tile == 0).all(axis=-1)
    assert (dark.any(axis=1).sum(), dark.any(axis=0).sum()) == inside
    assert dark.sum() == inside[0] * inside[1]
    assert (tile[~dark] == BACKGROUND).all()


def test_letterbox_of_a_line_of_pixels():
    assert letterbox(np.zeros((1, 1000, 3), np.uint8)).shape == (256, 128, 3)


def test_a_frame_stands_around_the_tile():
    tile = framed(RED, (0, 255, 0), thickness=2)
    assert tile.shape == (8, 10, 3)
    np.testing.assert_array_equal(tile[2:-2, 2:-2], RED)
    tile[2:-2, 2:-2] = (0, 255, 0)
    assert (tile == (0, 255, 0)).all()


def ink(text, width=128):
    tile = captioned(np.full((3, width, 3), 255, np.uint8), [text])
    assert tile.shape == (21, width, 3)
    return tile.min(axis=-1)


def test_a_caption_is_drawn_dark_on_white():
    assert ink("id 12  cam 3").min() < 80
    assert ink("").min() == 255
    assert captioned(RED, []).shape == RED.shape


def test_a_long_caption_is_cut_inside_the_tile():
    pixels = ink("a very long caption that can never stand beneath so small a tile")
    assert pixels[:, -2:].min() > 200
    np.testing.assert_array_equal(
        pixels, ink("a very long caption that can never stand beneath it, say it as you like")
    )


def test_other_characters_become_question_marks():
    np.testing.assert_array_equal(ink("caf\u00e9 \u4eba"), ink("caf? ?"))


def test_a_sheet_sets_tiles_in_rows():
    white = np.full_like(RED, 255)
    picture = sheet([[RED, RED], [RED]], gap=2)
    assert picture.shape == (2 * 4 + 3 * 2, 2 * 6 + 3 * 2, 3)
    np.testing.assert_array_equal(picture[2:6, 2:8], RED)
    np.testing.assert_array_equal(picture[2:6, 10:16], RED)
    np.testing.assert_array_equal(picture[8:12, 2:8], RED)
    np.testing.assert_array_equal(picture[8:12, 10:16], white)
