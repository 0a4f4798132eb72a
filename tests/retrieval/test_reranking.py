import tracemalloc

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, Reranking, evaluate, rank, rerank
from reid_tf.retrieval.distances import DISTANCES, distance_blocks
from reid_tf.retrieval.reranking import reranked_blocks
from tests.retrieval.naive_reranking import naive_reranking


def crowd(seed, queries=20, gallery=60, people=8, spread=0.5, whole_numbers=False):
    """Images of some people, who are clusters of vectors."""
    generator = np.random.default_rng(seed)
    identities = generator.integers(0, people, queries + gallery)
    if whole_numbers:  # many equal distances, and images that are alike
        vectors = generator.integers(0, 2, (people, 6))[identities] + generator.integers(0, 2, (len(identities), 6))
    else:
        vectors = generator.normal(size=(people, 16))[identities]
        vectors = vectors + spread * generator.normal(size=vectors.shape)
    everyone = Embeddings(vectors, identities, np.zeros_like(identities))
    return everyone.select(np.arange(queries)), everyone.select(np.arange(queries, queries + gallery))


def all_to_all(query, gallery, distance):
    vectors = np.concatenate([query.vectors, gallery.vectors])
    ((_, block),) = distance_blocks(vectors, vectors, distance)
    return block.astype(np.float64) ** (2 if distance == "euclidean" else 1)


def whole(query, gallery, options, distance="cosine"):
    return np.concatenate(
        [block.copy() for _, block in reranked_blocks(query.vectors, gallery.vectors, options, distance)]
    )


@pytest.mark.parametrize("count_itself", [False, True])
@pytest.mark.parametrize("whole_numbers", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (7, 3, 0.0), (5, 1, 0.5), (1, 1, 1.0), (60, 60, 0.3)])
@pytest.mark.parametrize("distance", DISTANCES)
def test_equals_the_paper_in_loops(distance, k1, k2, weight, whole_numbers, count_itself):
    query, gallery = crowd(1, whole_numbers=whole_numbers)
    expected = naive_reranking(all_to_all(query, gallery, distance), len(query), k1, k2, weight, count_itself)
    options = Reranking(k1, k2, weight, count_itself=count_itself)
    found = whole(query, gallery, options, distance)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    indices, distances = rerank(query, gallery, 60, k1, k2, weight, distance=distance, count_itself=count_itself)
    np.testing.assert_array_equal(indices, np.argsort(found, axis=1, kind="stable"))
    np.testing.assert_array_equal(distances, np.sort(found, axis=1))
    for row, order in zip(expected, indices, strict=True):
        assert (np.diff(row[order]) >= -1e-6).all()  # the same ranks, but for what float32 cannot tell apart


def test_the_program_counts_the_image_itself():
    """Equation 5 as the paper and as the authors' program have it differ, and on purpose."""
    query, gallery = crowd(3, spread=1.0)
    by_paper, by_program = (whole(query, gallery, Reranking(count_itself=itself)) for itself in (False, True))
    assert np.abs(by_paper - by_program).max() > 0.01


def test_all_of_the_plain_distance_keeps_the_ranks():
    query, gallery = crowd(2)
    np.testing.assert_array_equal(rerank(query, gallery, 60, weight=1.0)[0], rank(query, gallery, 60)[0])


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_shortlist_is_a_gallery_of_its_own(distance):
    query, gallery = crowd(4)
    found = whole(query, gallery, Reranking(5, 3, 0.3, shortlist=20), distance)
    plain = whole(query, gallery, Reranking(5, 3, 1.0, shortlist=20), distance)  # the distance / the largest one
    for row, listed in enumerate(np.sort(rank(query, gallery, 20, distance)[0], axis=1)):
        distances = all_to_all(query.select(np.array([row])), gallery.select(listed), distance)
        alone = naive_reranking(distances, 1, 5, 3, 0.0)[0]
        np.testing.assert_allclose(found[row, listed], 0.7 * alone + 0.3 * plain[row, listed], atol=1e-5)
        rest = np.setdiff1d(np.arange(60), listed)
        np.testing.assert_allclose(found[row, rest], 0.7 + 0.3 * plain[row, rest], atol=1e-5)


def test_a_shortlist_larger_than_the_gallery_is_the_gallery():
    query, gallery = crowd(4)
    listed = [whole(query, gallery, Reranking(shortlist=shortlist)) for shortlist in (60, 500)]
    np.testing.assert_array_equal(*listed)


@pytest.mark.parametrize("distance", DISTANCES)
def test_identical_images_stay_finite(distance):
    same = Embeddings(np.ones((30, 4)), np.zeros(30, int), np.zeros(30, int))
    found = whole(same, same, Reranking(), distance)
    assert ((found >= 0) & (found <= 1)).all()


def test_people_are_found_better():
    sides = [
        Embeddings(side.vectors, side.identities, np.full(len(side), camera))
        for camera, side in enumerate(crowd(5, queries=100, gallery=400, people=20, spread=1.3))
    ]
    plain, better = (evaluate(*sides, reranking=reranking) for reranking in (None, Reranking()))
    assert better.mean_average_precision > plain.mean_average_precision + 0.05


@pytest.mark.parametrize("protocol", ["market1501", "cuhk03_single_shot"])
def test_figures_are_those_of_the_reranked_distances(protocol):
    query, gallery = (
        Embeddings(side.vectors, side.identities, np.arange(len(side)) % 3) for side in crowd(6, spread=1.5)
    )
    options = Reranking(7, 3)
    measured = evaluate(query, gallery, protocol=protocol, reranking=options)
    # The same figures of vectors whose plain distances are the re-ranked ones: one axis for each gallery image.
    distances = whole(query, gallery, options)
    axes = Embeddings(np.eye(len(gallery)), gallery.identities, gallery.cameras)
    nearness = Embeddings(1 - distances, query.identities, query.cameras)
    expected = evaluate(nearness, axes, protocol=protocol)
    assert measured.to_dict() == pytest.approx(expected.to_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 0}, "k1 must be a whole number of at least 1. Received: k1=0"),
        ({"k2": 21}, "k2 must be at most k1, 20. Received: k2=21"),
        ({"weight": -0.1}, "between 0 and 1. Received: -0.1"),
        ({"weight": float("nan")}, "between 0 and 1. Received: nan"),
        ({"shortlist": 19}, "at least k1 images, 20. Received: 19"),
        ({"shortlist": 2.5}, "Received: shortlist=2.5"),
        ({"k1": 61}, "k1 must be at most 60, the images of the gallery. Received: k1=61"),
        ({"distance": "manhattan"}, "Unknown distance: 'manhattan'"),
    ],
)
def test_bad_options(options, message):
    query, gallery = crowd(1)
    with pytest.raises(InputError, match=message):
        rerank(query, gallery, 5, **options)


def test_the_matrix_of_all_images_is_never_held(monkeypatch):
    monkeypatch.setattr("reid_tf.retrieval.reranking._BLOCK_BYTES", 2**18)
    query, gallery = crowd(7, queries=500, gallery=2500, people=200)
    tracemalloc.start()
    for _ in reranked_blocks(query.vectors, gallery.vectors, Reranking()):
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 3
