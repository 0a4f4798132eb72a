import dataclasses

import numpy as np
import pytest

from reid_tf.datasets.pedestrians import picture as picture_file
from reid_tf.datasets.pedestrians import skeleton
from reid_tf.datasets.pedestrians.camera import draw_camera
from reid_tf.datasets.pedestrians.canvas import Part
from reid_tf.datasets.pedestrians.look import Bag
from reid_tf.datasets.pedestrians.picture import HIDDEN_BY_BODY, HIDDEN_BY_THING, SEEN_ON, Person, draw_picture
from reid_tf.datasets.pedestrians.population import draw_independent

HEIGHT, WIDTH = 128, 64
CAMERA = draw_camera(np.random.default_rng(5))
CLEAR = dataclasses.replace(CAMERA, blur=0.0, sharpness=1.0, noise=0.0)
PASSER_BY = Person.of(draw_independent(np.random.default_rng(6)))
FRONT, RIGHTWARD, BACK, LEFTWARD = 0.0, np.pi / 2, np.pi, -np.pi / 2


def picture(person, yaw, seed, height=HEIGHT, width=WIDTH, camera=CLEAR):
    return draw_picture(person, camera, yaw, height, width, np.random.default_rng(seed), PASSER_BY)


def people(number):
    return [Person.of(draw_independent(np.random.default_rng(seed))) for seed in range(number)]


@pytest.fixture
def nothing_in_the_way(monkeypatch):
    monkeypatch.setattr(picture_file, "OCCLUDER", 0.0)
    monkeypatch.setattr(picture_file, "PASSER_BY", 0.0)


def pictures():
    return [
        picture(person, yaw, 10 * n + k)
        for n, person in enumerate(people(12))
        for k, yaw in enumerate((FRONT, RIGHTWARD, BACK, LEFTWARD))
    ]


def parts_around(drawn, x, y):
    """A pixel stands for several of the canvas: at an edge, its part may be a neighbour's."""
    row, column = int(y * HEIGHT), int(x * WIDTH)
    return drawn.parts[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]


def test_landmarks_are_in_the_picture_and_visible_ones_on_the_part_they_belong_to():
    seen = 0
    for drawn in pictures():
        x, y, confidence = drawn.landmarks.T
        assert set(np.unique(confidence).round(3)) <= {0.0, np.float32(0.3).round(3), 0.5, 1.0}
        assert ((drawn.landmarks[:, :2] >= 0) & (drawn.landmarks[:, :2] < 1)).all()
        assert (drawn.landmarks[confidence == 0] == 0).all()
        for joint in np.flatnonzero(confidence == 1):
            assert np.isin(parts_around(drawn, x[joint], y[joint]), SEEN_ON[joint]).any()
            seen += 1
    assert seen > 12 * 4 * 8


@pytest.mark.parametrize(("field", "joints"), [("shoes", skeleton.ANKLE), ("hair", skeleton.EAR)])
def test_landmarks_are_where_a_change_of_the_look_is_seen(nothing_in_the_way, field, joints):
    checked = 0
    for n, person in enumerate(people(8)):
        look = dataclasses.replace(person.look, hat_style="", hair_style="short", **{field: (0, 0, 0)})
        other = dataclasses.replace(look, **{field: (255, 0, 255)})
        first, second = (picture(Person.of(one), BACK, n) for one in (look, other))
        rows, columns = np.nonzero(np.abs(first.pixels.astype(int) - second.pixels).max(axis=2) > 60)
        for x, y, confidence in first.landmarks[list(joints)]:
            if confidence == 1 and y < 0.97:
                distance = np.hypot((columns + 0.5) / WIDTH - x, (rows + 0.5) / HEIGHT - y)
                assert distance.min() < 0.04
                checked += 1
    assert checked >= 8


def test_sides_are_the_persons_own(nothing_in_the_way):
    for n, person in enumerate(people(6)):
        right, left = skeleton.SHOULDER
        front, back = picture(person, FRONT, n).landmarks, picture(person, BACK, n).landmarks
        assert front[right, 0] < front[left, 0]
        assert back[right, 0] > back[left, 0]


def test_faces_are_visible_from_the_front_only(nothing_in_the_way):
    for n, person in enumerate(people(6)):
        assert picture(person, FRONT, n).landmarks[skeleton.NOSE, 2] in (1.0, 0.0)  # 0: cut off by the frame
        assert picture(person, BACK, n).landmarks[skeleton.NOSE, 2] in (HIDDEN_BY_BODY, 0.0)
        side = picture(person, RIGHTWARD, n).landmarks
        assert side[skeleton.EAR[1], 2] != 1  # the left ear is on the far side


def test_a_bag_hangs_on_its_own_side(nothing_in_the_way):
    look = dataclasses.replace(people(1)[0].look, backpack=None, shoulder_bag=None)
    for side in (-1, 1):
        bag = Bag("box", ((9, 9, 9), (99, 9, 9)), 0.12, side)
        drawn = picture(Person.of(dataclasses.replace(look, handbag=bag)), FRONT, 3)
        middle = drawn.landmarks[skeleton.NECK, 0] * WIDTH
        columns = np.nonzero(drawn.parts == Part.BAG)[1]
        assert side * (np.median(columns) - middle) > 0


def test_a_thing_in_the_way_is_not_the_persons_doing(monkeypatch):
    monkeypatch.setattr(picture_file, "OCCLUDER", 1.0)
    hidden = 0
    for n, person in enumerate(people(20)):
        drawn = picture(person, FRONT, n)
        assert 0 < (drawn.parts == Part.OCCLUDER).mean() < 0.4
        for x, y, confidence in drawn.landmarks:
            if confidence == np.float32(HIDDEN_BY_THING):
                assert (parts_around(drawn, x, y) == Part.OCCLUDER).any()
                hidden += 1
    assert hidden > 20


def test_the_person_fills_the_picture_and_the_passer_by_is_background():
    shares = [np.isin(drawn.parts, (Part.BACKGROUND, Part.OCCLUDER), invert=True).mean() for drawn in pictures()]
    assert 0.3 < np.mean(shares) < 0.75
    assert min(shares) > 0.12


@pytest.mark.parametrize(("height", "width"), [(32, 16), (219, 103), (128, 128), (256, 128)])
def test_any_size(height, width):
    drawn = picture(people(1)[0], FRONT, 0, height, width, CAMERA)
    assert drawn.pixels.shape == (height, width, 3)
    assert drawn.parts.shape == (height, width)
    assert drawn.pixels.std() > 10


def test_the_same_numbers_give_the_same_picture():
    person = people(1)[0]
    first, second = picture(person, 0.4, 1, camera=CAMERA), picture(person, 0.4, 1, camera=CAMERA)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)
    assert (picture(person, 0.4, 2, camera=CAMERA).pixels != first.pixels).any()


@pytest.mark.parametrize("yaw", [FRONT, RIGHTWARD, BACK, LEFTWARD])
def test_every_style_can_be_drawn(nothing_in_the_way, yaw):
    look = people(1)[0].look
    bag = Bag("wedge", ((9, 9, 9), (99, 9, 9)), 0.15, 1)
    bare = dataclasses.replace(look, hat_style="", hair_style="buzz", backpack=None, shoulder_bag=None, handbag=None)
    changes = [{"hair_style": style} for style in ("short", "curly", "straight", "ponytail", "braids")]
    changes += [{"hat_style": style} for style in ("cap", "beanie", "brim")]
    changes += [{"backpack": bag}, {"shoulder_bag": bag}, {"handbag": bag}]
    plain = picture(Person.of(bare), yaw, 0).pixels.astype(int)
    for change in changes:
        drawn = picture(Person.of(dataclasses.replace(bare, **change)), yaw, 0).pixels
        assert np.abs(drawn - plain).max() > 20, change
