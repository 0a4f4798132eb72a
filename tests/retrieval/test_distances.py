import numpy as np
import pytest
from scipy.spatial.distance import cdist

from reid_tf.errors import InputError
from reid_tf.retrieval.distances import DISTANCES, distance_blocks
from tests.retrieval.naive_retrieval import naive_distance

SCIPY = {"cosine": "cosine", "euclidean": "euclidean", "mean_squared": "sqeuclidean"}


def whole(query, gallery, distance, block_bytes=2**20):
    blocks = [(rows, block.copy()) for rows, block in distance_blocks(query, gallery, distance, block_bytes)]
    assert [row for rows, _ in blocks for row in range(rows.start, rows.stop)] == list(range(len(query)))
    return np.concatenate([block for _, block in blocks])


@pytest.fixture
def vectors():
    generator = np.random.default_rng(0)
    return generator.normal(size=(37, 9)).astype(np.float32), generator.normal(size=(53, 9)).astype(np.float32)


@pytest.mark.parametrize("distance", DISTANCES)
def test_equals_scipy_and_a_loop(vectors, distance):
    query, gallery = vectors
    expected = cdist(query, gallery, SCIPY[distance]) / (9 if distance == "mean_squared" else 1)
    result = whole(query, gallery, distance)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=2e-6)
    assert result[3, 4] == pytest.approx(naive_distance(query[3], gallery[4], distance), abs=2e-5)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("block_bytes", [1, 5 * 4 * 53, 10**9])
def test_blocks_do_not_change_the_result(vectors, distance, block_bytes):
    np.testing.assert_allclose(whole(*vectors, distance, block_bytes), whole(*vectors, distance), atol=1e-6)


def test_blocks_keep_to_their_size(vectors):
    assert [len(block) for _, block in distance_blocks(*vectors, block_bytes=5 * 4 * 53)] == [5] * 7 + [2]
    assert len([*distance_blocks(*vectors, block_bytes=1)]) == len(vectors[0])


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_vector_is_at_no_negative_distance_from_itself(distance):
    vectors = np.random.default_rng(1).normal(size=(200, 300)).astype(np.float32) * 7
    own = np.diagonal(whole(vectors, vectors, distance))
    assert (own >= 0).all()
    longest = np.linalg.norm(vectors, axis=1).max()
    tolerance = {"cosine": 1e-6, "euclidean": longest / 500, "mean_squared": longest**2 * 1e-6 / 300}
    assert own.max() < tolerance[distance]


def test_cosine_of_zero_and_of_extreme_vectors():
    directions = np.array([[0, 0], [1, 0], [1e-17, 0], [1e17, 0], [-3, 0], [0, 2], [1e-30, 0]], np.float32)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        result = whole(directions, directions, "cosine")
    np.testing.assert_allclose(result[1], [1, 0, 0, 0, 2, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(result[0], 1)
    np.testing.assert_allclose(result[3], [1, 0, 0, 0, 2, 1, 1], atol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_inputs_stay_as_they_are(vectors, distance):
    copies = [array.copy() for array in vectors]
    whole(*vectors, distance)
    for array, copy in zip(vectors, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_an_unknown_distance_names_the_nearest(vectors):
    with pytest.raises(InputError, match=r"Unknown distance: 'euclidian'\. Did you mean 'euclidean'"):
        whole(*vectors, "euclidian")


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        (np.zeros((0, 3)), np.zeros((2, 3)), "Received: 0 queries, 2 gallery images"),
        (np.zeros((2, 3)), np.zeros((0, 3)), "Received: 2 queries, 0 gallery images"),
        (np.zeros((2, 3)), np.zeros((2, 4)), "Received: 3 and 4"),
        (np.ones((2, 3)), np.full((2, 3), 1e19), "longer than 1e.18. Received: length 1.73e.19 in row 0"),
    ],
)
def test_refuses_what_cannot_be_compared(query, gallery, message):
    with pytest.raises(InputError, match=message):
        whole(query.astype(np.float32), gallery.astype(np.float32), "cosine")
