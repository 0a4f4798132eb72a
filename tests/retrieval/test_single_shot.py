import json
import tracemalloc

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, evaluate
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.single_shot import draw_single_shots, single_shot_ranks
from tests.retrieval.naive_retrieval import naive_distance

PROTOCOL = "cuhk03_single_shot"


def random_embeddings(count, identities, cameras, seed, whole_numbers=False):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-1, 2, (count, 5)) if whole_numbers else generator.normal(size=(count, 5))
    return Embeddings(vectors, generator.choice(identities, count), generator.choice(cameras, count))


def on_a_line(positions, identities, cameras):
    return Embeddings(np.array(positions, np.float32)[:, np.newaxis], identities, cameras)


def naive_ranks(query, gallery, distance, draws, seed):
    """Over queries, draws and drawn images; 0 where the query's identity is not among them."""
    ranks = np.zeros((len(query), draws), int)
    for index in range(len(query)):
        shots = draw_single_shots(gallery, int(query.cameras[index]), draws, seed)
        if query.identities[index] not in shots.identities:
            continue
        for draw in range(draws):
            away = {
                int(entry): naive_distance(query.vectors[index], gallery.vectors[entry], distance)
                for entry in shots.entries[draw]
            }
            own = int(shots.entries[draw][shots.identities.tolist().index(query.identities[index])])
            ranks[index, draw] = 1 + sum((away[entry], entry) < (away[own], own) for entry in away)
    return ranks


def expected_cmc(query, gallery, length):
    """The exact expectation: each other identity's drawn image is nearer with a chance of its own."""
    cmcs = []
    for index in range(len(query)):
        candidates = {}
        for entry in np.flatnonzero(gallery.cameras != query.cameras[index]):
            key = (naive_distance(query.vectors[index], gallery.vectors[entry], "euclidean"), int(entry))
            candidates.setdefault(int(gallery.identities[entry]), []).append(key)
        own = candidates.pop(int(query.identities[index]), None)
        if own is None:
            continue
        at_rank = np.zeros(length)
        for key in own:
            number_nearer = np.array([1.0])
            for others in candidates.values():
                chance = sum(other < key for other in others) / len(others)
                number_nearer = np.convolve(number_nearer, [1 - chance, chance])
            at_rank += np.pad(number_nearer, (0, length))[:length] / len(own)
        cmcs.append(np.cumsum(at_rank))
    return np.mean(cmcs, axis=0)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("whole_numbers", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize("values_at_once", [2**16, 20])
def test_equals_a_naive_loop(monkeypatch, distance, whole_numbers, values_at_once):
    monkeypatch.setattr("reid_tf.retrieval.single_shot._VALUES_AT_ONCE", values_at_once)
    monkeypatch.setattr("reid_tf.retrieval.distances._MOST_ROWS", 7)
    query = random_embeddings(25, [1, 2, 3, 4, 6], [1, 2, 3], 1, whole_numbers)  # identity 6 is not in the gallery
    gallery = random_embeddings(60, [0, 1, 2, 3, 4, 5], [1, 2, 3], 2, whole_numbers)
    ranks = single_shot_ranks(query, gallery, distance, draws=8, seed=3)
    np.testing.assert_array_equal(ranks, naive_ranks(query, gallery, distance, 8, 3))

    metrics = evaluate(query, gallery, distance, max_rank=9, protocol=PROTOCOL, draws=8, seed=3)
    np.testing.assert_array_equal(metrics.drawn_ranks, ranks)
    valid = ranks[ranks[:, 0] > 0].tolist()
    assert 0 < metrics.num_skipped_queries == 25 - len(valid)
    for k in range(1, 10):
        shares = [sum(of_query[draw] <= k for of_query in valid) / len(valid) for draw in range(8)]
        assert metrics.rank(k) == metrics.cmc[k - 1] == pytest.approx(np.mean(shares), abs=1e-15)
        assert [metrics.rank_spread(k), metrics.cmc_spread[k - 1]] == pytest.approx([np.std(shares)] * 2, abs=1e-15)
    assert metrics.mean_average_precision == pytest.approx(np.mean([[1 / rank for rank in row] for row in valid]))


def test_draws_take_one_image_of_another_camera_for_each_identity():
    gallery = random_embeddings(60, [0, 1, 2, 3], [1, 2], 4)
    shots = draw_single_shots(gallery, 2, draws=50)
    assert shots.identities.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(gallery.identities[shots.entries], np.tile(shots.identities, (50, 1)))
    assert set(gallery.cameras[shots.entries].ravel()) == {1}


def test_every_image_has_the_same_chance():
    gallery = Embeddings(np.ones((9, 1)), [5, 1, 5, 1, 5, 1, 5, 7, 1], [1, 1, 1, 2, 1, 1, 1, 1, 2])
    shots = draw_single_shots(gallery, 2, draws=20000, seed=5)
    for column, candidates in enumerate(([1, 5], [0, 2, 4, 6], [7])):
        drawn, counts = np.unique(shots.entries[:, column], return_counts=True)
        assert drawn.tolist() == candidates
        # Six standard deviations of a share are 0.021 at most.
        np.testing.assert_allclose(counts / 20000, 1 / len(candidates), atol=0.021)
    together = np.mean((shots.entries[:, 0] == 1) & (shots.entries[:, 1] == 0))
    assert together == pytest.approx(1 / 8, abs=0.015)  # identities are drawn independently


def test_a_worked_example_by_hand():
    query = on_a_line([0], [1], [1])
    # Identity 1 at 2 or 4 (1 is under the query's camera), identity 2 always at 3, identity 3 at 1 or 5.
    gallery = on_a_line([2, 4, 1, 3, 1, 5], [1, 1, 1, 2, 3, 3], [2, 2, 1, 2, 2, 2])
    metrics = evaluate(query, gallery, "euclidean", max_rank=4, protocol=PROTOCOL, draws=200)
    entries = draw_single_shots(gallery, 1, 200).entries
    far, near_stranger = entries[:, 0] == 1, entries[:, 2] == 4
    np.testing.assert_array_equal(metrics.drawn_ranks[0], 1 + far + near_stranger)
    assert metrics.cmc.tolist() == [metrics.rank(1), metrics.rank(2), 1, 1]
    assert metrics.rank(1) == pytest.approx(np.mean(~far & ~near_stranger))
    assert metrics.rank_spread(1) == pytest.approx(np.sqrt(metrics.rank(1) * (1 - metrics.rank(1))))
    assert metrics.first_match_ranks[0] == pytest.approx(1 + np.mean(far) + np.mean(near_stranger))
    assert metrics.average_precisions[0] == pytest.approx(metrics.mean_average_precision)
    ranks = metrics.drawn_ranks[0]
    assert metrics.mean_average_precision_trapezoid == pytest.approx(np.mean(np.where(ranks == 1, 1, 1 / (2 * ranks))))


def test_the_mean_over_draws_approaches_the_expectation():
    query = random_embeddings(20, range(5), [1, 2], 6)
    gallery = random_embeddings(60, range(6), [2, 3], 7)
    metrics = evaluate(query, gallery, "euclidean", max_rank=6, protocol=PROTOCOL, draws=5000)
    exact = expected_cmc(query, gallery, 6)
    assert 0.1 < exact[0] < 0.9
    # Five standard deviations of the mean over 5,000 draws.
    assert (np.abs(metrics.cmc - exact) <= 5 * metrics.cmc_spread / np.sqrt(5000) + 1e-12).all()


def test_the_draws_of_another_seed_differ_and_of_the_same_do_not():
    query, gallery = random_embeddings(20, range(5), [1], 8), random_embeddings(60, range(5), [2], 9)
    first, again, other = (evaluate(query, gallery, protocol=PROTOCOL, draws=4, seed=seed) for seed in (1, 1, 2))
    assert first.to_dict() == again.to_dict()
    assert (first.drawn_ranks != other.drawn_ranks).any()
    more = evaluate(query, gallery, protocol=PROTOCOL, draws=9, seed=1)
    np.testing.assert_array_equal(more.drawn_ranks[:, :4], first.drawn_ranks)


def test_one_image_an_identity_gives_what_the_whole_gallery_gives():
    query = random_embeddings(40, range(30), [1, 3], 10)
    gallery = Embeddings(np.random.default_rng(11).normal(size=(25, 5)), np.arange(25)[::-1], np.full(25, 2))
    drawn = evaluate(query, gallery, protocol=PROTOCOL, draws=3)
    whole = evaluate(query, gallery)
    figures = drawn.to_dict()
    assert [figures.pop(f"rank{k}_spread") for k in (1, 5, 10)] == [0, 0, 0]
    assert figures == pytest.approx(whole.to_dict())
    assert list(figures) == list(whole.to_dict())
    np.testing.assert_allclose(drawn.cmc, whole.cmc)
    np.testing.assert_array_equal(drawn.first_match_ranks, whole.first_match_ranks)
    np.testing.assert_allclose(drawn.average_precisions, whole.average_precisions)
    assert drawn.num_skipped_queries == whole.num_skipped_queries > 0


def test_equal_distances_rank_in_gallery_order():
    gallery = Embeddings(np.ones((4, 2)), [9, 7, 1, 5], [2, 2, 2, 2])
    query = Embeddings(np.ones((2, 2)), [1, 5], [1, 1])
    assert single_shot_ranks(query, gallery, draws=2).tolist() == [[3, 3], [4, 4]]


def test_skipped_queries_have_no_precision_and_enter_no_mean():
    query = on_a_line([0, 50, 60], [1, 2, 3], [1, 1, 1])
    gallery = on_a_line([1, 51], [1, 2], [2, 1])  # identity 2 only in the query's own camera
    metrics = evaluate(query, gallery, "euclidean", protocol=PROTOCOL)
    assert metrics.drawn_ranks.shape == (3, 100)
    assert metrics.average_precisions[0] == metrics.rank(1) == 1
    assert np.isnan(metrics.average_precisions[1:]).all()
    assert metrics.first_match_ranks.tolist() == [1, 0, 0]
    assert (metrics.num_valid_queries, metrics.num_skipped_queries) == (1, 2)


def test_the_figures_are_json_with_their_spread():
    query, gallery = random_embeddings(20, range(5), [1], 8), random_embeddings(60, range(5), [2], 9)
    metrics = evaluate(query, gallery, protocol=PROTOCOL, max_rank=2)
    figures = metrics.to_dict()
    assert json.loads(json.dumps(figures)) == figures
    assert figures["rank1_spread"] == metrics.rank_spread(1) > 0
    assert figures["rank10"] == 1  # of five identities, however short the CMC is
    whole = evaluate(query, gallery)
    assert not any(key.endswith("_spread") for key in whole.to_dict())
    assert (whole.drawn_ranks, whole.cmc_spread, whole.rank_spread(1)) == (None, None, 0)


@pytest.mark.parametrize(
    ("query", "gallery", "options", "message"),
    [
        (on_a_line([], [], []), on_a_line([1], [1], [1]), {}, "Received: 0 queries, 1 gallery images"),
        (on_a_line([1], [1], [1]), on_a_line([], [], []), {}, "Received: 1 queries, 0 gallery images"),
        (on_a_line([1], [1], [1]), on_a_line([1], [-1], [2]), {}, "1 of 1 gallery rows"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"draws": 0}, r"at least 1\. Received: draws=0\."),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"seed": -1}, "Received: seed=-1"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"distance": "cosin"}, "Did you mean 'cosine'"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"max_rank": 0}, "Received: max_rank=0"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [1]), {}, "'cuhk03_single_shot' counts; for images of a single"),
        (on_a_line([1], [1], [1]), on_a_line([1], [2], [2]), {}, "No identity of the query images is in the gallery"),
    ],
)
def test_refuses_what_cannot_be_evaluated(query, gallery, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(query, gallery, protocol=PROTOCOL, **options)


def test_memory_stays_within_a_block(monkeypatch):
    monkeypatch.setattr("reid_tf.retrieval.distances._MOST_ROWS", 64)
    generator = np.random.default_rng(16)
    query, gallery = (
        Embeddings(
            generator.standard_normal((count, 64), np.float32), np.arange(count) % 500, generator.integers(0, 6, count)
        )
        for count in (2000, 20000)
    )
    tracemalloc.start()
    evaluate(query, gallery, protocol=PROTOCOL, draws=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    block = 64 * 20000 * 4  # 5 MB; the whole matrix would take 160 MB
    queries = 2000 * (64 * 4 + 10 * 8 * 3)  # their copy, and a few numbers a query and draw
    assert peak < block + queries + 4 * 2**20
