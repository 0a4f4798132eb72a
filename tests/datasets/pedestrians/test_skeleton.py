import numpy as np
import pytest

from reid_tf.datasets.pedestrians import skeleton
from reid_tf.datasets.pedestrians.look import Body
from reid_tf.datasets.pedestrians.skeleton import ANKLE, EAR, ELBOW, EYE, HIP, KNEE, NECK, NOSE, SHOULDER, WRIST

ADULT = Body(head=0.138, breadth=1.0, shoulders=0.11, hips=0.055, legs=0.51, stoop=0.0)
PHASES = np.linspace(0, 2 * np.pi, 9)


def lengths(points, pairs):
    return [np.linalg.norm(points[a] - points[b]) for a, b in pairs]


@pytest.mark.parametrize("phase", PHASES)
def test_bones_keep_their_lengths(phase):
    bones = [(a[i], b[i]) for a, b in ((HIP, KNEE), (KNEE, ANKLE), (SHOULDER, HIP)) for i in (0, 1)]
    points = skeleton.walking(ADULT, phase, 0.4)
    still = skeleton.walking(ADULT, 0.0, 0.0)
    np.testing.assert_allclose(lengths(points, bones), lengths(still, bones), rtol=1e-5)
    for arm in ((SHOULDER, ELBOW), (ELBOW, WRIST)):
        right, left = ([arm[0][i], arm[1][i]] for i in (0, 1))
        assert 0.14 < np.linalg.norm(np.diff(points[right], axis=0)) < 0.18
        assert 0.14 < np.linalg.norm(np.diff(points[left], axis=0)) < 0.18


def test_a_standing_adult_measures_one():
    points = skeleton.walking(ADULT, 0.0, 0.0)
    top = points[list(EAR), 1].mean() + 0.5 * ADULT.head
    assert top == pytest.approx(1.0, abs=0.03)
    assert points[NECK, 1] > points[HIP[0], 1] > points[KNEE[0], 1] > points[ANKLE[0], 1] > 0


@pytest.mark.parametrize("phase", PHASES)
def test_one_foot_is_on_the_ground(phase):
    assert skeleton.walking(ADULT, phase, 0.5)[list(ANKLE), 1].min() == pytest.approx(skeleton.ANKLE_HEIGHT)


@pytest.mark.parametrize("phase", PHASES)
def test_half_a_step_later_left_and_right_have_changed_places(phase):
    now, later = skeleton.walking(ADULT, phase, 0.4), skeleton.walking(ADULT, phase + np.pi, 0.4)
    for right, left in (SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE):
        np.testing.assert_allclose(now[right], later[left] * (-1, 1, 1), atol=1e-6)


def test_arms_swing_against_the_legs():
    points = skeleton.walking(ADULT, np.pi / 2, 0.4)  # the right leg in front
    assert points[ANKLE[0], 2] > points[ANKLE[1], 2]
    assert points[WRIST[0], 2] < points[WRIST[1], 2]


@pytest.mark.parametrize("yaw", [0.0, 0.7, np.pi / 2, 2.5, np.pi, -1.2])
def test_projection_is_a_turn_and_a_nod(yaw):
    points = np.random.default_rng(0).normal(size=(7, 3))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    pitch = skeleton.PITCH
    nod = np.array([[1, 0, 0], [0, -np.cos(pitch), np.sin(pitch)]])
    turned = points @ turn.T
    expected = np.concatenate([turned @ nod.T, turned[:, 2:]], axis=1)
    np.testing.assert_allclose(skeleton.project(points, yaw), expected, atol=1e-6)


def test_left_and_right_are_the_persons_own():
    points = skeleton.walking(ADULT, 0.0, 0.0)
    front, back = skeleton.project(points, 0.0), skeleton.project(points, np.pi)
    for right, left in (SHOULDER, HIP, EYE, EAR):
        assert front[right, 0] < front[left, 0]
        assert back[right, 0] > back[left, 0]
    to_the_right = skeleton.project(points, np.pi / 2)
    assert to_the_right[NOSE, 0] > to_the_right[EAR[0], 0]
    assert to_the_right[SHOULDER[0], 2] > to_the_right[SHOULDER[1], 2]  # walking so, the right side is near


def test_faces_look_where_the_person_goes():
    assert skeleton.facing(0.0)[NOSE] == pytest.approx(1.0)
    assert skeleton.facing(np.pi)[NOSE] == pytest.approx(-1.0)
    sideways = skeleton.facing(np.pi / 2)
    assert sideways[EAR[0]] == pytest.approx(1.0)
    assert sideways[EAR[1]] == pytest.approx(-1.0)
