import json
import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, evaluate
from reid_tf.retrieval.distances import BLOCK_BYTES, DISTANCES
from tests.retrieval.naive_retrieval import naive_evaluate


def random_embeddings(count, identities, seed, whole_numbers=False, first_path=0):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-1, 2, (count, 5)) if whole_numbers else generator.normal(size=(count, 5))
    paths = [f"{first_path + number}.jpg" for number in range(count)]
    return Embeddings(vectors, generator.choice(identities, count), generator.integers(1, 4, count), paths)


def on_a_line(positions, identities, cameras):
    return Embeddings(np.array(positions, np.float32)[:, np.newaxis], identities, cameras)


@pytest.mark.parametrize("protocol", ["market1501", "single_camera"])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("whole_numbers", [False, True], ids=["no ties", "ties"])
def test_equals_a_naive_loop(distance, protocol, whole_numbers):
    # Identities 1 to 5 are queried and found, 6 is queried in vain (skipped), 0 and 7 are distractors.
    gallery = random_embeddings(70, [0, 0, 1, 2, 3, 4, 5, 7], 1, whole_numbers)
    others = random_embeddings(9, [1, 2, 3, 6, 6], 2, whole_numbers, first_path=1000)
    query = gallery.select(np.flatnonzero((gallery.identities > 0) & (gallery.identities < 6))[:20])
    query = Embeddings(
        np.concatenate([query.vectors, others.vectors]),
        np.concatenate([query.identities, others.identities]),
        np.concatenate([query.cameras, others.cameras]),
        query.paths + others.paths,
    )
    metrics = evaluate(query, gallery, distance, max_rank=90, protocol=protocol)
    expected = naive_evaluate(query, gallery, distance, protocol, max_rank=90)
    assert metrics.num_skipped_queries > 0
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(metrics, name), value, rtol=1e-12, err_msg=name)


def test_a_worked_example_by_hand():
    query = on_a_line([0], [1], [1])
    # In order of distance: wrong, right, ignored (own camera), right, wrong, right: ranks 2, 3 and 5.
    gallery = on_a_line([3, 1, 2, 9, 4, 5], [1, 8, 1, 1, 1, 8], [1, 1, 2, 2, 3, 2])
    metrics = evaluate(query, gallery, "euclidean", max_rank=6)
    assert metrics.mean_average_precision == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)
    # (precision at the rank before + precision at the rank) / 2, for each match.
    trapezoids = [(0 + 1 / 2) / 2, (1 / 2 + 2 / 3) / 2, (2 / 4 + 3 / 5) / 2]
    assert metrics.mean_average_precision_trapezoid == pytest.approx(sum(trapezoids) / 3)
    assert metrics.mean_inverse_negative_penalty == pytest.approx(3 / 5)
    assert metrics.cmc.tolist() == [0, 1, 1, 1, 1, 1]
    assert metrics.first_match_ranks.tolist() == [2]


def test_a_perfect_ranking_is_1_by_every_rule():
    query = on_a_line([0, 100], [1, 2], [1, 1])
    gallery = on_a_line([1, 2, 101, 102, 103], [1, 1, 2, 2, 2], [2, 3, 2, 3, 4])
    figures = evaluate(query, gallery, "euclidean").to_dict()
    assert {key: figures.pop(key) for key in ("valid_queries", "skipped_queries")} == {
        "valid_queries": 2,
        "skipped_queries": 0,
    }
    assert set(figures) == {"rank1", "rank5", "rank10", "mAP", "mAP_trapezoid", "mINP"}
    assert set(figures.values()) == {1.0}


def test_equals_scikit_learn_where_nothing_ties():
    query, gallery = random_embeddings(30, range(6), 3), random_embeddings(80, range(6), 4)
    metrics = evaluate(query, gallery, "euclidean")
    for index in range(30):
        counts = (gallery.identities != query.identities[index]) | (gallery.cameras != query.cameras[index])
        scores = -np.linalg.norm(gallery.vectors[counts] - query.vectors[index], axis=1)
        right = gallery.identities[counts] == query.identities[index]
        assert metrics.average_precisions[index] == pytest.approx(average_precision_score(right, scores))


def test_the_order_of_the_gallery_does_not_matter_without_ties():
    query, gallery = random_embeddings(30, range(6), 5), random_embeddings(80, range(6), 6)
    expected = evaluate(query, gallery).to_dict()
    shuffled = evaluate(query, gallery.select(np.random.default_rng(7).permutation(80))).to_dict()
    assert shuffled == pytest.approx(expected)


def test_bounds_between_the_figures():
    metrics = evaluate(random_embeddings(200, range(20), 8), random_embeddings(300, range(30), 9), max_rank=300)
    assert (np.diff(metrics.cmc) >= 0).all()
    assert metrics.cmc[-1] == 1
    assert metrics.mean_average_precision_trapezoid < metrics.mean_average_precision
    assert metrics.mean_inverse_negative_penalty < metrics.mean_average_precision
    assert [metrics.rank(k) for k in (1, 5, 10)] == pytest.approx(metrics.cmc[[0, 4, 9]].tolist())


def test_distractors_lower_the_figures():
    query, gallery = random_embeddings(50, range(1, 9), 10), random_embeddings(80, range(1, 9), 11)
    distractors = random_embeddings(500, [0], 12)
    more = Embeddings(
        np.concatenate([gallery.vectors, distractors.vectors]),
        np.concatenate([gallery.identities, distractors.identities]),
        np.concatenate([gallery.cameras, distractors.cameras]),
    )
    assert evaluate(query, more).mean_average_precision < evaluate(query, gallery).mean_average_precision / 2


def test_skipped_queries_have_no_precision_and_enter_no_mean():
    query = on_a_line([0, 50], [1, 2], [1, 1])
    gallery = on_a_line([1, 51], [1, 2], [2, 1])  # identity 2 only in the query's own camera
    metrics = evaluate(query, gallery, "euclidean")
    assert metrics.average_precisions[0] == 1
    assert np.isnan(metrics.average_precisions[1])
    assert metrics.first_match_ranks.tolist() == [1, 0]
    assert metrics.rank(1) == metrics.mean_average_precision == 1
    assert (metrics.num_valid_queries, metrics.num_skipped_queries) == (1, 1)


def test_the_cmc_may_be_longer_or_shorter_than_the_gallery():
    query, gallery = random_embeddings(9, range(3), 13), random_embeddings(12, range(3), 14)
    short, long = (evaluate(query, gallery, max_rank=max_rank) for max_rank in (2, 40))
    assert (len(short.cmc), len(long.cmc)) == (2, 40)
    np.testing.assert_array_equal(short.cmc, long.cmc[:2])
    assert short.to_dict() == long.to_dict()


def test_the_figures_are_json():
    figures = evaluate(random_embeddings(9, range(3), 13), random_embeddings(12, range(3), 14)).to_dict()
    assert json.loads(json.dumps(figures)) == figures


def test_query_and_gallery_may_be_the_same_images():
    images = random_embeddings(60, range(10), 15)
    by_object = evaluate(images, images, protocol="single_camera").to_dict()
    copy = Embeddings(images.vectors, images.identities, images.cameras, images.paths)
    assert evaluate(images, copy, protocol="single_camera").to_dict() == by_object


def test_one_camera_is_said_in_a_sentence():
    images = on_a_line([0, 1, 2], [1, 1, 2], [4, 4, 4])
    with pytest.raises(InputError, match=r"use the protocol 'single_camera'. Received: 3 queries .* cameras 4\."):
        evaluate(images, images)


def test_no_common_identity_is_said_in_a_sentence():
    with pytest.raises(InputError, match=r"identities 1, 2, .*identities 3\."):
        evaluate(on_a_line([0, 1], [1, 2], [1, 1]), on_a_line([0], [3], [2]))


@pytest.mark.parametrize(
    ("query", "gallery", "options", "message"),
    [
        (on_a_line([], [], []), on_a_line([1], [1], [1]), {}, "Received: 0 queries, 1 gallery images"),
        (on_a_line([1], [1], [1]), on_a_line([], [], []), {}, "Received: 1 queries, 0 gallery images"),
        (on_a_line([1], [1], [1]), on_a_line([1, 2], [1, -1], [1, 2]), {}, "1 of 2 gallery rows"),
        (on_a_line([1], [-1], [1]), on_a_line([1], [1], [1]), {}, "1 of 1 query rows"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"max_rank": 0}, "Received: max_rank=0"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"distance": "cosin"}, "Did you mean 'cosine'"),
        (on_a_line([1], [1], [1]), on_a_line([1], [1], [2]), {"protocol": "one"}, "Unknown protocol: 'one'"),
    ],
)
def test_refuses_what_cannot_be_evaluated(query, gallery, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(query, gallery, **options)


def test_memory_stays_within_a_block(monkeypatch):
    assert BLOCK_BYTES == 512 * 2**20
    monkeypatch.setattr("reid_tf.retrieval.distances._MOST_ROWS", 64)
    generator = np.random.default_rng(16)
    query, gallery = (
        Embeddings(
            generator.standard_normal((count, 64), np.float32), np.arange(count) % 500, generator.integers(0, 6, count)
        )
        for count in (2000, 20000)
    )
    tracemalloc.start()
    evaluate(query, gallery)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    block = 64 * 20000 * 4  # 5 MB; the whole matrix would take 160 MB, a copy of the gallery 5 MB
    pairs = 2000 * 40  # each with a few numbers of 8 bytes
    assert peak < block + 120 * pairs + 2**20
