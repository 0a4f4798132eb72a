import logging
import re

import keras
import numpy as np
import pytest

from reid_tf.losses import CrossEntropy, TripletLoss
from reid_tf.metrics import triplet_metrics
from reid_tf.training.log_callbacks import CollapseWarning, CombinedMetrics, EpochLine


def test_combined_values_are_weighted_sums_of_logged_ones():
    logs = {"attributes_accuracy": 0.75, "identity_accuracy": 0.5}
    CombinedMetrics({"joint_accuracy": {"attributes_accuracy": 0.8, "identity_accuracy": 0.2}}).on_epoch_end(0, logs)
    assert logs["joint_accuracy"] == pytest.approx(0.7)


@pytest.mark.parametrize(("margin", "distance", "warns"), [(0.5, 0.04, True), (0.5, 0.06, False), ("soft", 0.09, True)])
def test_a_collapse_is_reported_once(caplog, margin, distance, warns):
    watch = CollapseWarning({"identity": CrossEntropy(), "embedding": TripletLoss(margin=margin)})
    with caplog.at_level(logging.WARNING):
        for epoch in range(2):
            watch.on_epoch_end(epoch, {"identity_loss": 0.0, "embedding_negative_distance": distance})
    assert len(caplog.records) == int(warns)
    assert all("embedding collapses: in epoch 1" in record.getMessage() for record in caplog.records)


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
@pytest.mark.parametrize("identity", [False, True])
def test_a_collapse_is_seen_while_fitting(caplog, identity):
    """With one output Keras logs its metrics without the output's name."""
    image = keras.Input((4,), name="image")
    nothing = keras.layers.Dense(3, kernel_initializer="zeros", trainable=False)(image)
    outputs = {"embedding": keras.layers.Activation("linear", name="embedding")(nothing)}
    losses, metrics = {"embedding": TripletLoss()}, {"embedding": triplet_metrics(TripletLoss())}
    if identity:
        outputs["identity"] = keras.layers.Activation("softmax", name="identity")(keras.layers.Dense(2)(image))
        losses["identity"], metrics["identity"] = CrossEntropy(), []
    model = keras.Model({"image": image}, outputs)
    model.compile("sgd", losses, metrics=metrics)
    labels = dict.fromkeys(outputs, np.array([0, 0, 1, 1]))
    with caplog.at_level(logging.WARNING):
        model.fit({"image": np.ones((4, 4))}, labels, callbacks=[CollapseWarning(losses)], verbose=0)
    assert "embedding collapses: in epoch 1" in caplog.text


def test_an_epoch_is_a_line(caplog):
    line = EpochLine(images=640)
    line.set_params({"epochs": 4})
    with caplog.at_level(logging.INFO):
        for epoch in (1, 2):
            line.on_epoch_begin(epoch)
            line.began -= 8  # seconds
            line.on_epoch_end(epoch, {"loss": 2.34567, "val_mAP": 0.5})
    assert re.fullmatch(r"epoch 2/4: loss 2.346, val_mAP 0.5; (79|80) images/s, 0:00:16 left", caplog.messages[0])
    assert re.fullmatch(r"epoch 3/4: loss 2.346, val_mAP 0.5; (79|80) images/s, 0:00:08 left", caplog.messages[1])
