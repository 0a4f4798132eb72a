import logging

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, evaluate, pool_queries

QUERY = Embeddings([[0, 0], [9, 9], [5, 5]], [1, 1, 2], [1, 2, 1], ("a", "b", "c"))
EXTRA = Embeddings([[1, 4], [3, 2], [8, 8], [7, 0]], [1, 1, 1, 3], [1, 1, 2, 1])


@pytest.mark.parametrize(("how", "first"), [("mean", [2, 3]), ("max", [3, 4])])
def test_pools_the_identity_in_its_camera(how, first, caplog):
    with caplog.at_level(logging.WARNING):
        pooled = pool_queries(QUERY, EXTRA, how)
    assert pooled.vectors.tolist() == [first, [8, 8], [5, 5]]  # identity 2 has no further image
    assert "1 of 3 queries" in caplog.text
    assert pooled.identities.tolist() == QUERY.identities.tolist()
    assert pooled.cameras.tolist() == QUERY.cameras.tolist()
    assert pooled.paths == QUERY.paths


def test_pooling_noisy_descriptors_helps():
    generator = np.random.default_rng(0)
    looks = generator.normal(size=(40, 16))

    def images(count, camera):
        identities = np.repeat(np.arange(40), count)
        vectors = looks[identities] + 1.5 * generator.normal(size=(len(identities), 16))
        return Embeddings(vectors, identities, np.full(len(identities), camera))

    query, extra, gallery = images(1, 1), images(8, 1), images(5, 2)
    alone = evaluate(query, gallery).mean_average_precision
    assert evaluate(pool_queries(query, extra), gallery).mean_average_precision > alone + 0.1


@pytest.mark.parametrize(
    ("extra", "how", "message"),
    [
        (EXTRA, "median", "Unknown pooling of queries: 'median'.*Allowed: max, mean"),
        (EXTRA.select(np.array([], int)), "mean", "Received: 0 images"),
        (Embeddings([[1, 2, 3]], [1], [1]), "mean", "queries' 2 dimensions. Received: 1 images of 3 dimensions"),
    ],
)
def test_refuses_what_cannot_be_pooled(extra, how, message):
    with pytest.raises(InputError, match=message):
        pool_queries(QUERY, extra, how)
