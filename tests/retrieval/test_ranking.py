import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, rank
from reid_tf.retrieval.distances import DISTANCES
from tests.retrieval.naive_retrieval import naive_order


def embeddings(count, seed, whole_numbers=True):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-1, 2, (count, 4)) if whole_numbers else generator.normal(size=(count, 4))
    return Embeddings(vectors, np.zeros(count, int), np.zeros(count, int))


@pytest.mark.parametrize("whole_numbers", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize("k", [1, 7, 50])
@pytest.mark.parametrize("distance", DISTANCES)
def test_equals_a_loop(distance, k, whole_numbers):
    query, gallery = embeddings(40, 1, whole_numbers), embeddings(50, 2, whole_numbers)
    indices, distances = rank(query, gallery, k, distance)
    assert indices.shape == distances.shape == (40, k)
    assert (indices.dtype, distances.dtype) == (np.int64, np.float32)
    for index in range(40):
        order, values = naive_order(query, gallery, index, distance)
        assert indices[index].tolist() == order[:k]
        np.testing.assert_allclose(distances[index], np.array(values)[order[:k]], atol=2e-5)


def test_identical_vectors_keep_the_order_of_the_gallery():
    same = Embeddings(np.ones((9, 3)), np.zeros(9, int), np.zeros(9, int))
    np.testing.assert_array_equal(rank(same, same, 4)[0], np.tile(np.arange(4), (9, 1)))


@pytest.mark.parametrize("k", [0, -1, 51])
def test_k_is_at_most_the_gallery(k):
    with pytest.raises(
        InputError,
        match=f"k must be (at most 50, the images of the gallery|a whole number of at least 1). Received: k={k}.",
    ):
        rank(embeddings(3, 1), embeddings(50, 2), k)


def test_an_empty_side_is_refused():
    with pytest.raises(InputError, match="Received: 0 queries, 50 gallery images"):
        rank(embeddings(0, 1), embeddings(50, 2), 1)
