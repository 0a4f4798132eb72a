import cv2
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.pose.part_boxes import part_boxes
from reid_tf.report.landmark_picture import PART_COLOURS, draw_landmarks, draw_parts

TILE = (256, 128)
GAP, CAPTION = 6, 36


@pytest.fixture
def person(tmp_path):
    """A grey crop of 64 x 32 and the landmarks of somebody who stands in it."""
    path = str(tmp_path / "person.png")
    cv2.imwrite(path, np.full((64, 32, 3), 90, np.uint8))
    x = [50, 50, 30, 25, 22, 70, 75, 78, 40, 41, 42, 60, 59, 58, 47, 53, 42, 58]
    y = [12, 20, 21, 35, 48, 21, 35, 48, 50, 70, 90, 50, 70, 90, 10, 10, 11, 11]
    return path, np.stack([np.array(x) / 100, np.array(y) / 100, np.ones(18)], axis=-1).astype(np.float32)


def tile(sheet, column):
    left = GAP + column * (TILE[1] + GAP)
    return sheet[GAP : GAP + TILE[0], left : left + TILE[1]].astype(int)


def is_colour(pixel, colour):
    return np.abs(pixel - colour).max() < 10


def test_joints_are_where_they_are(person):
    path, landmarks = person
    landmarks[4, 2] = 0  # a wrist that was not found
    picture = tile(draw_landmarks([path], landmarks[np.newaxis]), 0)
    assert picture.shape == (*TILE, 3)
    for joint, red, green in ((2, True, False), (5, False, True), (10, True, False), (13, False, True)):
        pixel = picture[round(landmarks[joint, 1] * 255), round(landmarks[joint, 0] * 127)]
        assert (pixel[0] > 200, pixel[1] > 180) == (red, green)
    assert is_colour(picture[round(0.48 * 255), round(0.22 * 127)], (90, 90, 90))
    assert is_colour(picture[5, 5], (90, 90, 90))


def test_boxes_and_stripes_have_their_colours(person):
    path, landmarks = person
    picture = draw_parts([path], landmarks[np.newaxis])
    assert picture.shape == (TILE[0] + CAPTION + 2 * GAP, 3 * (TILE[1] + GAP) + GAP, 3)
    for box, colour in zip(part_boxes(landmarks[np.newaxis])[0], PART_COLOURS, strict=True):
        left, middle = int(box[0] * 127), int((box[1] + box[3]) / 2 * 255)
        assert is_colour(tile(picture, 1)[middle, left], colour)
    for part, colour in enumerate(PART_COLOURS):
        assert is_colour(tile(picture, 2)[int((part + 0.5) / 3 * 255), 0], colour)


def test_a_part_that_is_not_seen_has_a_thin_box_and_a_caption(person):
    path, landmarks = person
    unseen = landmarks.copy()
    unseen[[10, 13], 2] = 0
    sheet = draw_parts([path] * 3, np.stack([landmarks, unseen, np.zeros_like(landmarks)]))
    limbs = [sum(is_colour(pixel, PART_COLOURS[2]) for pixel in tile(sheet, 1 + 3 * image)[230]) for image in range(3)]
    assert limbs == [4, 2, 2] or limbs == [6, 2, 2]  # two sides
    captions = [
        sheet[GAP + TILE[0] + 18 : -GAP, GAP + column * (TILE[1] + GAP) :][:, : TILE[1]] for column in (1, 4, 7)
    ]
    assert [(caption < 128).any() for caption in captions] == [False, True, True]


def test_images_of_any_size_make_one_sheet(person, tmp_path):
    path, landmarks = person
    wide = str(tmp_path / "wide.png")
    cv2.imwrite(wide, np.full((100, 300, 3), 200, np.uint8))
    sheet = draw_landmarks([path, wide, path], np.stack([landmarks] * 3), columns=2)
    assert sheet.shape == (2 * (TILE[0] + GAP) + GAP, 2 * (TILE[1] + GAP) + GAP, 3)


@pytest.mark.parametrize("draw", [draw_landmarks, draw_parts])
def test_what_cannot_be_drawn_is_refused(person, draw):
    path, landmarks = person
    with pytest.raises(InputError, match=r"needs images and .* Received: 0 images and landmarks \[0, 18, 3\]"):
        draw([], np.zeros((0, 18, 3)))
    with pytest.raises(InputError, match=r"Received: 2 images and landmarks \[1, 18, 3\]"):
        draw([path, path], landmarks[np.newaxis])
    with pytest.raises(InputError, match="none.jpg' cannot be read"):
        draw(["none.jpg"], landmarks[np.newaxis])
