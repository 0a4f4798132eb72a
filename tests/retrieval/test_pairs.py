import numpy as np

from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.pairs import same_identity_pairs


def of_identities(*identities):
    return Embeddings(np.ones((len(identities), 1)), np.array(identities, int), np.zeros(len(identities), int))


def test_pairs_are_ordered_by_query_and_gallery_index():
    pairs = same_identity_pairs(of_identities(7, 1, 9, 7), of_identities(1, 7, 0, 7, 1, 7))
    assert [*zip(pairs.queries.tolist(), pairs.entries.tolist(), strict=True)] == [
        (0, 1),
        (0, 3),
        (0, 5),
        (1, 0),
        (1, 4),
        (3, 1),
        (3, 3),
        (3, 5),
    ]
    assert pairs.begins.tolist() == [0, 3, 5, 5, 8]


def test_equals_a_loop():
    generator = np.random.default_rng(0)
    query, gallery = of_identities(*generator.integers(0, 20, 50)), of_identities(*generator.integers(5, 25, 80))
    pairs = same_identity_pairs(query, gallery)
    expected = [(q, g) for q in range(50) for g in range(80) if query.identities[q] == gallery.identities[g]]
    assert [*zip(pairs.queries.tolist(), pairs.entries.tolist(), strict=True)] == expected


def test_without_a_common_identity_there_is_no_pair():
    pairs = same_identity_pairs(of_identities(1, 2), of_identities(3))
    assert len(pairs.queries) == len(pairs.entries) == 0
    assert pairs.begins.tolist() == [0, 0, 0]
