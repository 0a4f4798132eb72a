import numpy as np
import pytest

from reid_tf.losses import GroupCrossEntropy, cross_entropy, group_cross_entropy

SIZES = (2, 4, 3)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    softmaxes = [rng.dirichlet(np.ones(size), 5) for size in SIZES]
    classes = np.stack([rng.integers(-1, size, 5) for size in SIZES], axis=1)
    return classes, np.concatenate(softmaxes, axis=1).astype(np.float32)


def test_equals_a_loop_over_known_groups(batch):
    classes, probabilities = batch
    starts = (0, 2, 6)
    expected = [
        sum(-np.log(row[start + answer]) for start, answer in zip(starts, answers, strict=True) if answer >= 0)
        for answers, row in zip(classes, probabilities, strict=True)
    ]
    np.testing.assert_allclose(group_cross_entropy(classes, probabilities, SIZES), expected, rtol=1e-5)


def test_one_group_is_plain_cross_entropy(batch):
    classes, probabilities = np.maximum(batch[0][:, :1], 0), batch[1][:, :2]
    expected = cross_entropy(classes[:, 0], probabilities)
    np.testing.assert_allclose(group_cross_entropy(classes, probabilities, (2,)), expected, rtol=1e-6)


def test_nothing_known_is_zero(batch):
    assert float(GroupCrossEntropy(SIZES)(np.full((5, 3), -1), batch[1])) == 0.0


def test_the_class_is_the_mean_and_has_its_constructors_config(batch):
    loss = GroupCrossEntropy(SIZES, name="g")
    assert float(loss(*batch)) == pytest.approx(float(np.mean(group_cross_entropy(*batch, SIZES))), rel=1e-6)
    assert loss.get_config() == {"group_sizes": [2, 4, 3], "name": "g"}
