import numpy as np
import pytest

from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.match_ranks import count_nearer, match_ranks
from reid_tf.retrieval.protocols import PROTOCOLS
from tests.retrieval.naive_retrieval import naive_ranked


def embeddings_with_ties(count, identities, seed):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-1, 2, (count, 4))
    paths = [f"{number}.jpg" for number in generator.permutation(1000)[:count]]
    return Embeddings(vectors, generator.integers(0, identities, count), generator.integers(0, 3, count), paths)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("distance", DISTANCES)
def test_ranks_equal_a_loop_with_many_ties(distance, protocol):
    gallery = embeddings_with_ties(60, 8, seed=1)
    query = gallery.select(np.arange(0, 60, 2))
    matches = match_ranks(query, gallery, distance, protocol)
    for index in range(len(query)):
        ranked = naive_ranked(query, gallery, index, distance, protocol)
        expected = [rank for rank, right in enumerate(ranked, 1) if right]
        assert matches.ranks[matches.queries == index].tolist() == expected


def test_equal_distances_rank_in_gallery_order():
    gallery = Embeddings(np.ones((6, 2)), [9, 1, 9, 1, 1, 9], [2, 2, 2, 1, 2, 2])
    matches = match_ranks(Embeddings(np.ones((1, 2)), [1], [1]), gallery)
    # Entry 3 is ignored (the query's camera), so entry 4 stands at rank 4.
    assert matches.ranks.tolist() == [2, 4]


def test_counts_what_stands_before_an_entry():
    row = np.array([3, 1, 2, 2, 0, 2, 3], np.float32)
    assert count_nearer(row, np.arange(7)).tolist() == [5, 1, 2, 3, 0, 4, 6]


def test_counts_in_a_row_of_one():
    assert count_nearer(np.array([4], np.float32), np.array([0])).tolist() == [0]


def test_small_blocks_do_not_change_the_ranks(monkeypatch):
    query, gallery = embeddings_with_ties(70, 9, seed=2), embeddings_with_ties(90, 9, seed=3)
    expected = match_ranks(query, gallery)
    monkeypatch.setattr("reid_tf.retrieval.distances._MOST_ROWS", 3)
    matches = match_ranks(query, gallery)
    np.testing.assert_array_equal(matches.queries, expected.queries)
    np.testing.assert_array_equal(matches.ranks, expected.ranks)
