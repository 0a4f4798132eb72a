import itertools

import numpy as np

from reid_tf.datasets.pedestrians.street import Filming, Street, passages

SMALL = Street(people=4, cameras=2, seconds=20, size=(90, 160))


def test_everybody_goes_from_camera_to_camera():
    script = passages(SMALL)
    assert {one.person for one in script} == set(range(4))
    for one, then in itertools.pairwise(script):
        if one.person == then.person:
            assert one.camera != then.camera
            assert then.start > one.start + one.duration


def test_a_frame_is_the_same_each_time_and_shows_who_is_there():
    filming, again = Filming(SMALL, 0), Filming(SMALL, 0)
    busiest = max(range(0, SMALL.frames, 5), key=lambda number: len(filming.frame(number)[1]))
    pixels, seen = filming.frame(busiest)
    assert pixels.shape == (90, 160, 3)
    np.testing.assert_array_equal(pixels, again.frame(busiest)[0])
    assert seen
    for one in seen:
        left, top, right, bottom = one.box
        assert 0 < one.visibility <= 1
        assert 20 < bottom - top < 70
        assert right > left


def test_who_stands_behind_is_hidden():
    filming = Filming(Street(people=20, cameras=2, seconds=10, size=(90, 160)), 0)
    hidden = [one.visibility for number in range(0, 100, 5) for one in filming.frame(number)[1]]
    assert min(hidden) < 0.7
    assert max(hidden) == 1
