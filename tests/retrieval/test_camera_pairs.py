import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings
from reid_tf.retrieval.camera_pairs import evaluate_camera_pairs
from tests.retrieval.naive_retrieval import naive_evaluate


def test_each_pair_is_an_evaluation_of_its_own():
    generator = np.random.default_rng(0)
    cameras, identities = generator.integers(1, 4, 90), generator.integers(0, 10, 90)
    everyone = Embeddings(generator.normal(size=(90, 4)), identities, cameras)
    query, gallery = everyone.select(np.arange(30)), everyone.select(np.arange(30, 90))
    pairs = evaluate_camera_pairs(query, gallery)
    assert list(pairs) == [(one, other) for one in (1, 2, 3) for other in (1, 2, 3) if one != other]
    for (one, other), metrics in pairs.items():
        sides = query.select(query.cameras == one), gallery.select(gallery.cameras == other)
        expected = naive_evaluate(*sides, "cosine", "market1501", 50)
        np.testing.assert_allclose(metrics.cmc, expected["cmc"])
        assert metrics.mean_average_precision == pytest.approx(expected["mean_average_precision"])


def test_pairs_without_a_match_are_left_out():
    query = Embeddings(np.eye(2), [1, 2], [1, 2])
    gallery = Embeddings(np.eye(2), [1, 9], [3, 1])
    assert list(evaluate_camera_pairs(query, gallery)) == [(1, 3)]


def test_one_camera_makes_no_pair():
    one = Embeddings(np.eye(2), [1, 2], [5, 5])
    with pytest.raises(InputError, match=r"Pairs of cameras need at least two. Received: camera \[5\] alone"):
        evaluate_camera_pairs(one, one)
