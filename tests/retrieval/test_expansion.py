import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.expansion import augment_gallery, expand_queries
from tests.retrieval.naive_retrieval import naive_distance


def embeddings(count, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 6))
    return Embeddings(vectors, np.arange(count), np.arange(count) % 3, [f"{seed}-{row}" for row in range(count)])


def naive_blend(vector, others, k, alpha, distance):
    distances = [naive_distance(vector, other, distance) for other in others]
    chosen = sorted(range(len(others)), key=lambda place: (distances[place], place))[:k]
    scale = np.linalg.norm if distance == "cosine" else lambda _: 1.0
    total = vector.astype(float) / scale(vector)
    for place in chosen:
        total = total + max(1 - distances[place], 0.0) ** alpha * others[place] / scale(others[place])
    return total / (k + 1)


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("distance", DISTANCES)
def test_equals_a_loop(distance, alpha):
    if alpha and distance != "cosine":
        pytest.skip("alpha is for the cosine")
    query, gallery = embeddings(15, 1), embeddings(40, 2)
    expanded = expand_queries(query, gallery, 4, alpha, distance)
    augmented = augment_gallery(gallery, 4, alpha, distance)
    for vector, blended in zip(query.vectors, expanded.vectors, strict=True):
        np.testing.assert_allclose(blended, naive_blend(vector, gallery.vectors, 4, alpha, distance), atol=1e-5)
    for row, blended in enumerate(augmented.vectors):
        others = np.delete(gallery.vectors, row, axis=0)
        np.testing.assert_allclose(blended, naive_blend(gallery.vectors[row], others, 4, alpha, distance), atol=1e-5)
    assert expanded.paths == query.paths
    np.testing.assert_array_equal(augmented.cameras, gallery.cameras)


def test_zero_vectors_stay_finite():
    nothing = Embeddings(np.zeros((3, 2)), np.arange(3), np.arange(3))
    np.testing.assert_array_equal(augment_gallery(nothing, 2, 3.0).vectors, np.zeros((3, 2)))


@pytest.mark.parametrize(("k", "most"), [(6, 5), (0, 5)])
def test_more_than_the_gallery_is_refused(k, most):
    with pytest.raises(InputError, match=f"Received: k={k}"):
        expand_queries(embeddings(2, 1), embeddings(most, 2), k)


def test_the_image_itself_is_not_one_of_the_others():
    with pytest.raises(InputError, match="at most 4 of 5 gallery images. Received: k=5"):
        augment_gallery(embeddings(5, 1), 5)


@pytest.mark.parametrize(("alpha", "distance"), [(-1.0, "cosine"), (np.nan, "cosine"), (3.0, "euclidean")])
def test_alpha_is_for_the_cosine(alpha, distance):
    with pytest.raises(InputError, match=f"Received: alpha={alpha} with '{distance}'"):
        expand_queries(embeddings(2, 1), embeddings(5, 2), 2, alpha, distance)
