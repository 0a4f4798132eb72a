import numpy as np
import pytest

from reid_tf.datasets.pedestrians.fabric import COLUMNS
from reid_tf.datasets.pedestrians.look import Body
from reid_tf.datasets.pedestrians.view import SEEN, View

BODY = Body(head=0.138, breadth=1.0, shoulders=0.11, hips=0.055, legs=0.51, stoop=0.0)


def view(yaw):
    return View(BODY, np.zeros((18, 2)), np.zeros(18), yaw, scale=100.0, light=0.0)


def quarter_seen(yaw):
    """Which quarter of the body is in the middle of the picture: 0 front, 1 left, 2 back, 3 right."""
    quarters = (np.arange(COLUMNS) + COLUMNS // 8) // (COLUMNS // 4) % 4
    texture = np.repeat((50 * quarters + 40).astype(np.uint8)[None, :, None], 3, axis=2)
    middle = view(yaw).seen(texture)[0, SEEN // 2, 0] / view(yaw).seen(np.full_like(texture, 200))[0, SEEN // 2, 0]
    return round((middle * 200 - 40) / 50)


@pytest.mark.parametrize(("yaw", "quarter"), [(0.0, 0), (np.pi / 2, 3), (np.pi, 2), (-np.pi / 2, 1)])
def test_the_side_that_is_turned_to_the_camera_shows(yaw, quarter):
    assert quarter_seen(yaw) == quarter


def test_light_from_the_camera_leaves_the_edges_darker():
    row = view(0.0).seen(np.full((1, COLUMNS, 3), 200, np.uint8))[0, :, 0]
    assert row[SEEN // 2] > row[0]
    np.testing.assert_allclose(row.astype(int), row[::-1].astype(int), atol=1)


def test_the_width_of_an_ellipse_lies_between_its_axes():
    assert view(0.0).half_width(0.2, 0.1) == pytest.approx(20)
    assert view(np.pi / 2).half_width(0.2, 0.1) == pytest.approx(10)
    # The support function of an ellipse, by a dense search over its points.
    angles = np.linspace(0, 2 * np.pi, 10_000)
    across = 0.2 * np.cos(angles) * np.cos(0.6) + 0.1 * np.sin(angles) * np.sin(0.6)
    assert view(0.6).half_width(0.2, 0.1) == pytest.approx(100 * across.max(), rel=1e-4)
