"""The numbers of another library for the same arrays.

From pytorch-metric-learning 2.9.0 on PyTorch 2.13.0: `TripletMarginLoss(margin, distance=..., reducer=MeanReducer())`
on all triplets, those of `BatchHardMiner`, or those of `TripletMarginMiner(margin, type_of_triplets="semihard")`; the
soft margin is its `margin=0, smooth_loss=True`; "unit" is its `LpDistance()`, which scales to unit length.
"""

import numpy as np
import pytest

from reid_tf.losses import TripletLoss

EMBEDDINGS = np.sin(np.arange(48) * 1.7).reshape(12, 4).astype(np.float32)
IDENTITIES = np.repeat([0, 1, 2], 4)


@pytest.mark.parametrize(
    ("distance", "mining", "margin", "expected"),
    [
        ("euclidean", "all", 0.4, 0.107129),
        ("euclidean", "all", "soft", 0.350377),
        ("euclidean", "batch_hard", 0.4, 0.994227),
        ("euclidean", "batch_hard", "soft", 1.079372),
        ("euclidean", "semi_hard", 0.4, 0.277562),
        ("squared_euclidean", "all", 0.4, 0.192701),
        ("squared_euclidean", "all", "soft", 0.236869),
        ("squared_euclidean", "batch_hard", 0.4, 2.026503),
        ("squared_euclidean", "batch_hard", "soft", 2.020171),
        ("squared_euclidean", "semi_hard", 0.4, 0.241833),
        ("cosine", "all", 0.4, 0.094567),
        ("cosine", "all", "soft", 0.369915),
        ("cosine", "batch_hard", 0.4, 0.806249),
        ("cosine", "batch_hard", "soft", 0.939985),
        ("cosine", "semi_hard", 0.4, 0.195711),
        ("unit", "all", 0.4, 0.097000),
        ("unit", "all", "soft", 0.413455),
        ("unit", "batch_hard", 0.4, 0.819993),
        ("unit", "batch_hard", "soft", 0.949532),
        ("unit", "semi_hard", 0.4, 0.192037),
    ],
)
def test_mean_over_the_mined_triplets(distance, mining, margin, expected):
    options = {"distance": "euclidean", "normalize": True} if distance == "unit" else {"distance": distance}
    loss = TripletLoss(**options, mining=mining, margin=margin, reduction="sum")
    count = np.sum(loss.mine(IDENTITIES, EMBEDDINGS).valid)
    assert float(loss(IDENTITIES, EMBEDDINGS)) / count == pytest.approx(expected, abs=2e-6)
