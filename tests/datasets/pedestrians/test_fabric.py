import numpy as np
import pytest

from reid_tf.datasets.pedestrians.fabric import COLUMNS, PATTERNS, PRINTS, ROWS, weave
from reid_tf.datasets.pedestrians.look import Garment

RED, WHITE = (200, 0, 0), (255, 255, 255)


def garment(pattern="plain", repeats=4, front="", back=""):
    return Garment(pattern, (RED, WHITE), repeats, 0.0, front_print=front, back_print=back)


def test_stripes_repeat_from_top_to_bottom():
    white = (weave(garment("stripes", 4)) == WHITE).all(axis=2)
    assert (white == white[:, :1]).all()  # the same all around
    starts = np.flatnonzero(np.diff(white[:, 0].astype(int)) == 1) + 1
    np.testing.assert_array_equal(starts, [12, 24, 36])  # and at row 0: 4 in 48 rows


@pytest.mark.parametrize("repeats", range(3, 8))
@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_a_pattern_has_no_seam_and_shows_both_colours(pattern, repeats):
    texture = weave(garment(pattern, repeats))
    assert texture.shape == (ROWS, COLUMNS, 3)
    white = (texture == WHITE).all(axis=2)
    assert 0.08 < white.mean() < 0.62 if pattern != "plain" else not white.any()
    # Where the last column meets the first, no more changes than between neighbours elsewhere.
    changes = (white != np.roll(white, -1, axis=1)).sum(axis=0)
    assert changes[-1] <= changes.max()
    assert (white | (texture == RED).all(axis=2)).all()


def test_patterns_of_the_same_colours_differ():
    woven = {pattern: weave(garment(pattern)).tobytes() for pattern in PATTERNS}
    assert len(set(woven.values())) == len(PATTERNS)


@pytest.mark.parametrize("name", sorted(PRINTS))
def test_a_print_is_where_it_belongs(name):
    quarter = COLUMNS // 4
    front = np.roll((weave(garment(front=name)) != RED).any(axis=2), COLUMNS // 2, axis=1)
    back = (weave(garment(back=name)) != RED).any(axis=2)
    np.testing.assert_array_equal(front, back)  # the same print, half a turn further
    assert back.sum() > 40
    assert not back[:, :quarter].any()
    assert not back[:, -quarter:].any()


def test_a_third_colour_joins_the_pattern():
    texture = weave(Garment("checks", (RED, WHITE, (0, 0, 9)), 4, 0.0))
    assert len(np.unique(texture.reshape(-1, 3), axis=0)) == 3


def test_an_open_jacket_shows_a_strip_in_the_middle_of_the_front():
    strip = (weave(garment(), open_front=(0, 9, 0)) == (0, 9, 0)).all(axis=2)
    assert strip[:, 0].all()
    assert strip[:, -1].all()
    assert not strip[:, COLUMNS // 4 : 3 * COLUMNS // 4].any()
