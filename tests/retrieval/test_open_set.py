import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, Reranking
from reid_tf.retrieval.open_set import RATES, OpenSetMetrics, evaluate_open_set, without_people
from tests.retrieval.naive_retrieval import naive_order


def crowd(seed=0, people=60):
    generator = np.random.default_rng(seed)
    identities, cameras = np.repeat(np.arange(1, people + 1), 4), np.tile([1, 1, 2, 2], people)
    vectors = generator.normal(size=(people, 8))[identities - 1] + 0.7 * generator.normal(size=(4 * people, 8))
    everyone = Embeddings(vectors, identities, cameras)
    searched = np.tile([True, False, False, False], people)
    return everyone.select(searched), everyone.select(~searched)


def naive_open_set(query, gallery, threshold):
    """Known and unknown queries, those found rightly and those taken for somebody, one by one."""
    known = unknown = found = alarms = 0
    for index in range(len(query)):
        identity, camera = query.identities[index], query.cameras[index]
        order, distances = naive_order(query, gallery, index, "cosine")
        counted = [
            entry
            for entry in order
            if gallery.identities[entry] != -1
            and not (gallery.identities[entry] == identity and gallery.cameras[entry] == camera)
        ]
        nearest = counted[0]
        if identity != -1 and identity in gallery.identities:
            if identity in gallery.identities[counted]:
                known += 1
                found += gallery.identities[nearest] == identity and distances[nearest] <= threshold
        else:
            unknown += 1
            alarms += distances[nearest] <= threshold
    return known, unknown, found, alarms


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5, 2.0])
def test_equals_a_loop(threshold):
    query, gallery = crowd()
    gallery = without_people(query, gallery, 0.5)
    identities, cameras = gallery.identities.copy(), gallery.cameras.copy()
    identities[::7] = -1  # junk
    cameras[gallery.identities == gallery.identities[1]] = 1  # somebody whom the other camera did not see
    gallery = Embeddings(gallery.vectors, identities, cameras)
    strangers = query.identities.copy()
    strangers[::9] = -1
    query = Embeddings(query.vectors, strangers, query.cameras)
    metrics = evaluate_open_set(query, gallery)
    known, unknown, found, alarms = naive_open_set(query, gallery, threshold)
    assert (metrics.known_queries, len(metrics.unknown)) == (known, unknown)
    assert metrics.skipped_queries == len(query) - known - unknown > 0
    assert metrics.detection_rate(threshold) == pytest.approx(found / known)
    assert metrics.false_alarms(threshold) == alarms


@pytest.mark.parametrize("reranking", [None, Reranking()], ids=["plain", "re-ranked"])
def test_thresholds_keep_to_their_rates(reranking):
    query, gallery = crowd(people=300)
    metrics = evaluate_open_set(query, without_people(query, gallery, 0.5), reranking=reranking)
    assert len(metrics.unknown) == 150
    last = 1.0
    for rate in (0.5, 0.1, 0.02):
        threshold = metrics.threshold(rate)
        assert metrics.false_alarms(threshold) <= rate * 150
        assert metrics.false_alarms(np.nextafter(threshold, np.inf, dtype=np.float32)) > rate * 150 - 1
        assert metrics.detection_rate(threshold) <= last
        last = metrics.detection_rate(threshold)
    assert 0 < last < 1


def test_equal_distances_are_accepted_together_or_not_at_all():
    metrics = OpenSetMetrics(np.float32([0.1, 0.2, 0.3]), 4, np.float32([0.2, 0.2, 0.2, 0.5]))
    assert metrics.false_alarms(metrics.threshold(0.5)) == 0
    assert metrics.detection_rate(metrics.threshold(0.5)) == 0.25
    assert metrics.detection_rate(metrics.threshold(0.75)) == 0.75


def test_rates_that_the_queries_do_not_resolve_have_no_figure():
    metrics = OpenSetMetrics(np.float32([0.1]), 1, np.linspace(0, 1, 100, dtype=np.float32))
    assert metrics.to_dict()["detection_rates"] == {"0.1": 1.0, "0.01": 0.0, "0.001": None}
    assert [metrics.accepted(rate) for rate in RATES] == [10, 1, 0]


def test_taking_people_out_is_repeatable_and_leaves_distractors():
    query, gallery = crowd()
    gallery = Embeddings.concatenate([gallery, Embeddings(np.ones((2, 8)), [0, -1], [1, 1])])
    left = without_people(query, gallery, 0.25)
    assert len(np.unique(left.identities)) == 45 + 2
    np.testing.assert_array_equal(left.identities, without_people(query, gallery, 0.25).identities)
    assert set(left.identities) != set(without_people(query, gallery, 0.25, seed=1).identities)


def test_nobody_unknown_is_refused():
    query, gallery = crowd()
    with pytest.raises(InputError, match="Received: 60 of known and 0 of unknown people"):
        evaluate_open_set(query, gallery)
    with pytest.raises(InputError, match="Received: 0 of known and 60 of unknown people"):
        evaluate_open_set(query, gallery.select(np.array([], int)))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_is_below_1(share):
    with pytest.raises(InputError, match=f"Received: {share}"):
        without_people(*crowd(), share)
