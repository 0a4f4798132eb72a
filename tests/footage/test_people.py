import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.footage.people import Tracklets, descriptor, find_people
from tests.footage.conftest import unit


def tracklets(*rows):
    """Of (vector, camera, start, end)."""
    vectors, cameras, starts, ends = zip(*rows, strict=True)
    names = np.array([str(number) for number in range(len(rows))])
    return Tracklets(
        np.array(vectors, np.float32),
        np.array(cameras),
        names,
        np.array(starts, float),
        np.array(ends, float),
        np.ones(len(rows), np.int64),
    )


A, ALMOST_A, B = unit(1, 0, 0), unit(1, 0.2, 0), unit(0, 0, 1)


def test_near_tracklets_are_one_person_numbered_by_time():
    found = find_people(tracklets((B, "door", 5, 6), (A, "door", 0, 1), (ALMOST_A, "yard", 8, 9)), 0.1)
    assert found.tolist() == [1, 0, 0]


def test_nobody_is_twice_before_a_camera_at_a_time():
    together = tracklets((A, "door", 0, 5), (A, "door", 5, 9), (ALMOST_A, "yard", 2, 3))
    found = find_people(together, 0.5)
    assert found[0] != found[1]
    assert found[2] in found[:2]
    assert len(set(find_people(tracklets((A, "door", 0, 5), (A, "door", 5.1, 9)), 0.5))) == 1


def test_many_near_tracklets_do_not_outvote_an_impossible_pair():
    rows = [(A, f"camera{number}", 10 * number, 10 * number + 1) for number in range(60)]
    found = find_people(tracklets(*rows, (A, "camera0", 0.5, 0.7)), 1.9)
    assert found[-1] != found[0]


@pytest.mark.parametrize(("least", "most", "people"), [(0, 100, 1), (8, 100, 2), (0, 4, 2), (7, 7, 1)])
def test_the_way_between_cameras_takes_its_time(least, most, people):
    seen = tracklets((A, "door", 0, 3), (A, "yard", 10, 12))
    assert len(set(find_people(seen, 0.5, {("yard", "door"): (least, most)}))) == people


def test_as_a_naive_program_joins():
    """Average linkage written as it is told: the nearest two groups are joined until none is near enough."""
    generator = np.random.default_rng(0)
    rows = [
        (unit(*generator.normal(size=4)), f"{generator.integers(3)}", start, start + generator.uniform(0, 8))
        for start in generator.uniform(0, 60, 40)
    ]
    seen = tracklets(*rows)
    groups = [[number] for number in range(40)]

    def distance(one, other):
        pairs = [(i, j) for i in one for j in other]
        for i, j in pairs:
            overlap = min(seen.ends[i], seen.ends[j]) >= max(seen.starts[i], seen.starts[j])
            if seen.cameras[i] == seen.cameras[j] and overlap:
                return np.inf
        return np.mean([1 - seen.vectors[i] @ seen.vectors[j] for i, j in pairs])

    while True:
        apart = [(distance(a, b), x, y) for x, a in enumerate(groups) for y, b in enumerate(groups) if x < y]
        nearest, x, y = min(apart)
        if nearest > 0.4:
            break
        groups[x] += groups.pop(y)
    found = find_people(seen, 0.4)
    assert {frozenset(group) for group in groups} == {
        frozenset(np.flatnonzero(found == person).tolist()) for person in set(found.tolist())
    }


def test_descriptors():
    vectors = np.stack([unit(1, 0, 0), unit(0, 1, 0)])
    np.testing.assert_allclose(descriptor(7 * vectors, np.array([3.0, 1.0])), unit(3, 1, 0), rtol=1e-6)
    three = np.stack([unit(1, 0, 0), unit(1, 0.1, 0), unit(0, 1, 0)])
    np.testing.assert_allclose(descriptor(three, np.ones(3), "medoid"), three[1], rtol=1e-6)
    # Nine looks from one side and one from each of two others weigh the same; equal vectors are one.
    sides = np.stack([unit(1, 0, 0)] * 9 + [unit(0, 1, 0), unit(0, 0, 1)])
    np.testing.assert_allclose(descriptor(sides, np.ones(11), "medoids"), unit(1, 1, 1), rtol=1e-6)
    np.testing.assert_allclose(descriptor(sides[:10], np.ones(10), "medoids"), unit(1, 1, 0), rtol=1e-6)


def test_wrong_values():
    with pytest.raises(InputError, match=r"between 0 and 2. Received: 3"):
        find_people(tracklets((A, "door", 0, 1)), 3)
    with pytest.raises(InputError, match=r"Received: 1 of 1 that are not"):
        find_people(tracklets((np.nan * A, "door", 0, 1)), 0.5)
    with pytest.raises(InputError, match="'mode'"):
        descriptor(np.eye(3), np.ones(3), "mode")
