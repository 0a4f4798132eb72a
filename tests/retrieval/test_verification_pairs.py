import itertools

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import verification_pairs as module
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.verification_pairs import pair_distances, verification_pairs
from tests.retrieval.naive_retrieval import naive_distance

IDENTITIES = np.arange(60) % 11
CAMERAS = np.arange(60) // 13


@pytest.mark.parametrize("across_cameras", [True, False])
@pytest.mark.parametrize("cells", [2**22, 150])  # rows at once: all, two
def test_all_pairs_of_a_loop(monkeypatch, across_cameras, cells):
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", cells)
    pairs = verification_pairs(IDENTITIES, CAMERAS, across_cameras)
    expected = [
        (first, second, IDENTITIES[first] == IDENTITIES[second])
        for first, second in itertools.combinations(range(60), 2)
        if not across_cameras or CAMERAS[first] != CAMERAS[second]
    ]
    assert list(zip(pairs.first, pairs.second, pairs.genuine, strict=True)) == expected


def test_a_sample_is_of_the_right_size_and_always_the_same(monkeypatch):
    everything = verification_pairs(IDENTITIES, CAMERAS, False)
    pairs = verification_pairs(IDENTITIES, CAMERAS, False, most=300)
    assert np.count_nonzero(pairs.genuine) == np.count_nonzero(everything.genuine) < 300  # few enough to stay
    assert np.count_nonzero(~pairs.genuine) == pytest.approx(300, abs=60)
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", 500)
    again = verification_pairs(IDENTITIES, CAMERAS, False, most=300)
    np.testing.assert_array_equal(again.first, pairs.first)
    np.testing.assert_array_equal(again.second, pairs.second)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_those_of_retrieval(distance):
    vectors = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    pairs = verification_pairs(IDENTITIES, CAMERAS, True)
    distances = pair_distances(vectors, pairs, distance)
    assert distances.dtype == np.float32
    expected = [
        naive_distance(vectors[a], vectors[b], distance) for a, b in zip(pairs.first, pairs.second, strict=True)
    ]
    np.testing.assert_allclose(distances, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("identities", "cameras", "message"),
    [
        (
            [1, 1, 2],
            [1, 1, 2],
            "pairs across cameras .* Received: 0 genuine and 2 impostor pairs among 3 images of 2 id",
        ),
        ([4, 4], [1, 2], "Received: 1 genuine and 0 impostor pairs among 2 images of 1 identities"),
    ],
)
def test_both_kinds_are_needed(identities, cameras, message):
    with pytest.raises(InputError, match=message):
        verification_pairs(np.array(identities), np.array(cameras), True)
