import numpy as np
import pytest

from reid_tf.datasets.pedestrians.canvas import Canvas, Part, box, limb


def canvas(height=40, width=30):
    return Canvas(np.zeros((height, width, 3), np.uint8))


def test_pixels_and_labels_agree():
    painted = canvas()
    painted.fill(box(5, 10, 15, 20), (9, 8, 7), Part.HEAD)
    painted.fill(box(10, 10, 40, 20), (1, 2, 3), Part.BAG)  # nearer, and over the border
    np.testing.assert_array_equal((painted.pixels == (9, 8, 7)).all(axis=2), painted.labels == Part.HEAD)
    np.testing.assert_array_equal((painted.pixels == (1, 2, 3)).all(axis=2), painted.labels == Part.BAG)
    assert painted.labels[15, 7] == Part.HEAD
    assert painted.labels[15, 12] == Part.BAG
    assert painted.labels[5, 5] == Part.BACKGROUND


def test_cloth_hangs_as_its_corners_say():
    texture = np.zeros((4, 4, 3), np.uint8)
    texture[:2, 2:] = 255  # the upper right quarter
    painted = canvas()
    outline = box(4, 4, 24, 36)
    painted.cloth(outline, outline[[0, 1, 3]], texture, Part.TRUNK)
    bright = painted.pixels[..., 0] > 127
    assert bright[8, 20]
    assert not bright[8, 8]
    assert not bright[32, 20]
    assert (painted.labels == Part.TRUNK).sum() == pytest.approx(20 * 32, rel=0.1)
    assert not bright[painted.labels != Part.TRUNK].any()


def test_cloth_outside_the_canvas_changes_nothing():
    painted = canvas()
    outline = box(50, 50, 60, 60)
    painted.cloth(outline, outline[[0, 1, 3]], np.full((4, 4, 3), 255, np.uint8), Part.TRUNK)
    assert not painted.pixels.any()
    assert not painted.labels.any()


@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 7))
def test_a_limb_is_a_band_with_round_ends(angle):
    along = np.array([np.sin(angle), np.cos(angle)])
    start, end = np.array([50.0, 50.0]) - 10 * along, np.array([50.0, 50.0]) + 10 * along
    painted = canvas(100, 100)
    painted.fill(limb(start, end, 5.0, 5.0)[0], (1, 1, 1), Part.LEFT_LEG)
    assert (painted.labels > 0).sum() == pytest.approx(20 * 10 + np.pi * 25 * 0.9, rel=0.15)
    for point in (start, end):
        assert painted.labels[round(point[1]), round(point[0])] == Part.LEFT_LEG


def test_a_limb_that_hangs_down_has_its_texture_upright():
    _, corners = limb(np.array([10.0, 10.0]), np.array([10.0, 30.0]), 4.0, 2.0)
    np.testing.assert_allclose(corners, [[6, 10], [14, 10], [6, 30]])
