import numpy as np
import pytest

from reid_tf.footage.quality import hidden_shares, quality


def test_who_is_nearer_hides():
    boxes = np.array([[0, 0, 10, 20], [5, 10, 15, 30], [100, 0, 110, 10]], float)
    assert hidden_shares(boxes).tolist() == [0.25, 0, 0]
    assert hidden_shares(np.zeros((0, 4))).shape == (0,)


def test_quality_falls_with_all_that_is_wrong():
    generator = np.random.default_rng(0)
    sharp = generator.integers(0, 255, (128, 64, 3), np.uint8)
    best = quality(sharp, 0.0, False)
    assert 0.9 < best <= 1
    assert quality(sharp, 0.5, False) == pytest.approx(best / 2)
    assert quality(sharp, 0.0, True) == pytest.approx(best / 2)
    assert quality(sharp[:64, :32], 0.0, False) < 0.51
    assert quality(np.full((128, 64, 3), 7, np.uint8), 0.0, False) == 0
