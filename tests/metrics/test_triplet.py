import numpy as np
import pytest

from reid_tf.losses import TripletLoss
from reid_tf.metrics import triplet_metrics
from tests.losses.naive_triplets import distance, mined

IDENTITIES = np.array([0, 0, 1, 1, 2, 2])


def test_shares_and_distances_by_hand():
    embeddings = np.random.default_rng(0).normal(0, 0.3, (6, 3)).astype(np.float32)
    metrics = {metric.name: metric for metric in triplet_metrics(TripletLoss(margin=0.2))}
    for metric in metrics.values():
        metric.update_state(IDENTITIES, embeddings)
    distances = np.array([[distance(a, b, "euclidean") for b in embeddings] for a in embeddings])
    same = IDENTITIES[:, None] == IDENTITIES
    triplets = [triplet for i in range(6) for triplet in mined(i, IDENTITIES, distances, "batch_hard", 0.2, 4)]
    assert float(metrics["active_triplets"].result()) == pytest.approx(np.mean([p + 0.2 - n > 0 for p, n in triplets]))
    assert float(metrics["positive_distance"].result()) == pytest.approx(
        distances[same & ~np.eye(6, dtype=bool)].mean()
    )
    assert float(metrics["negative_distance"].result()) == pytest.approx(distances[~same].mean())


def test_all_satisfied_and_all_violated():
    apart = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0) * 10
    metric = triplet_metrics(TripletLoss(margin=0.2))[0]
    metric.update_state(IDENTITIES, apart)
    assert float(metric.result()) == 0.0
    metric.reset_state()
    metric.update_state(IDENTITIES, np.zeros((6, 3), np.float32))
    assert float(metric.result()) == 1.0


def test_a_batch_without_positives_changes_neither_their_distance_nor_the_active_share():
    embeddings = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    for metric in triplet_metrics(TripletLoss()):
        metric.update_state(IDENTITIES, embeddings)
        before = float(metric.result())
        metric.update_state(np.arange(6), 10 * embeddings)
        assert (float(metric.result()) == before) == (metric.name != "negative_distance")
