import numpy as np
import pytest

from reid_tf.metrics.attribute_accuracy import BinaryAttributeAccuracy, GroupAccuracy


def test_binary_accuracy_counts_known_targets_only():
    metric = BinaryAttributeAccuracy()
    metric.update_state([[1, 0, -1], [0, -1, -1]], [[0.9, 0.6, 0.9], [0.2, 0.9, 0.1]])  # right, wrong; right
    assert float(metric.result()) == pytest.approx(2 / 3)
    metric.update_state([[[1, 1], [0, 0]]], [[[0.9, 0.9], [0.9, 0.9]]])  # pairs: two right, two wrong
    assert float(metric.result()) == pytest.approx(4 / 7)


def test_group_accuracy_counts_known_groups_only():
    metric = GroupAccuracy((2, 3))
    outputs = np.array([[0.9, 0.1, 0.2, 0.3, 0.5], [0.2, 0.8, 0.6, 0.3, 0.1]], np.float32)
    metric.update_state([[0, 2], [0, -1]], outputs)  # right, right; wrong
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_configs():
    assert BinaryAttributeAccuracy("a").get_config() == {"name": "a"}
    assert GroupAccuracy((2, 3)).get_config() == {"group_sizes": [2, 3], "name": "accuracy"}
