"""The first epochs leave the backbone alone, the later ones do not, and the learning rate does not notice."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.config import ExperimentConfig, parse_config
from reid_tf.errors import InputError
from reid_tf.training.experiment import build_experiment
from reid_tf.training.freezing import FreezeBackbone

STEPS = 3


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> ExperimentConfig:
    """ShareNet's fork: a part of the backbone is there a second time, for the attributes."""
    return parse_config(
        {
            "dataset": {
                "name": "synthetic",
                "root": str(tmp_path_factory.mktemp("cache")),
                "identities": 12,
                "images_per_identity": 6,
            },
            "image_size": [32, 16],
            "batches": {"name": "identities", "identities_per_batch": 4, "images_per_identity": 3},
            "backbone": {
                "name": "vgg_front",
                "stackwise_num_convolutions": [1, 1],
                "stackwise_channels": [4, 8],
            },
            "model": {"name": "sharenet", "embedding_dim": 8, "shared_layers": 1},
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "schedule": {"name": "cosine"},
            "freeze_backbone_epochs": 2,
            "epochs": 3,
            "steps_per_epoch": STEPS,
        }
    )


class Watch(keras.callbacks.Callback):
    """All weights before the training and after every epoch, by path."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_begin(self, logs=None):
        self.on_epoch_end(-1)

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append({id(weight): np.array(weight) for weight in self.model.weights})


def moved(before: dict, after: dict) -> set:
    return {key for key in before if not np.array_equal(before[key], after[key])}


def test_a_frozen_backbone_keeps_every_bit_and_a_thawed_one_learns(recipe):
    experiment = build_experiment(recipe)
    model, watch = experiment.compile(), Watch()
    backbone = {id(weight) for part in experiment.backbone for weight in part.weights}
    statistics = {id(weight) for part in experiment.backbone for weight in part.non_trainable_weights}
    assert len(experiment.backbone) == 2
    assert len(statistics) == 6, "three batch normalisations"
    callbacks = [FreezeBackbone(experiment.backbone, recipe.freeze_backbone_epochs), watch]
    batches = experiment.batches()
    model.fit(batches, epochs=3, steps_per_epoch=STEPS, callbacks=callbacks, verbose=0, shuffle=False)
    everything = {id(weight) for weight in model.weights}
    first, second, third = (moved(*pair) for pair in zip(watch.seen, watch.seen[1:], strict=False))
    assert first == second == everything - backbone
    assert third == everything
    assert int(model.optimizer.iterations.value) == 3 * STEPS
    assert all(layer.trainable for layer in model._flatten_layers())


def test_a_layer_that_never_learned_stays_frozen():
    part = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, trainable=False), keras.layers.Dense(2)])
    model = keras.Sequential([part, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    freeze = FreezeBackbone([part], 1)
    model.fit(np.ones((2, 2)), np.ones((2, 1)), callbacks=[freeze], verbose=0)
    assert [layer.trainable for layer in part.layers] == [False, True]


def executed(graph: tf.Graph) -> set:
    """The operations of a traced function that TensorFlow runs: what its results and side effects need."""
    found, waiting = set(), [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return found


def test_a_frozen_step_calculates_no_gradient_of_the_backbone(recipe):
    experiment = build_experiment(recipe)
    model = experiment.compile()
    freeze = FreezeBackbone(experiment.backbone, 1)
    freeze.set_model(model)
    batch = next(iter(experiment.batches().take(1)))
    counts = []
    for epoch in range(2):
        freeze.on_epoch_begin(epoch)
        step = tf.function(lambda: model.train_step(batch)).get_concrete_function()
        counts.append(sum("Conv2DBackprop" in operation.type for operation in executed(step.graph)))
    assert counts == [0, 3 + 2], "by the kernels of three convolutions, and by what the second ones see"


@pytest.mark.parametrize(("epochs", "stages"), [(4, False), (3, True)])
def test_more_epochs_than_there_are(recipe, epochs, stages):
    tree = {**recipe.to_dict(), "freeze_backbone_epochs": epochs}
    if stages:
        tree["stages"] = [{"name": "a", "share": 0.6}, {"name": "b", "share": 0.4}]
    which = "between 0 and 2, the epochs of the first stage" if stages else "between 0 and 3, the epochs of the run"
    with pytest.raises(InputError, match=f"'freeze_backbone_epochs' must be {which}. Received: {epochs}"):
        parse_config(tree)


def test_fewer_epochs_than_none(recipe):
    with pytest.raises(InputError, match=r"freeze_backbone_epochs.* must be at least 0\. Received: -1"):
        parse_config({**recipe.to_dict(), "freeze_backbone_epochs": -1})


def test_later_stages_are_not_frozen(recipe):
    tree = {**recipe.to_dict(), "stages": [{"name": "a", "share": 0.7}, {"name": "b", "share": 0.3}]}
    assert [stage.freeze_backbone_epochs for stage in parse_config(tree).in_stages()] == [2, 0]


def test_a_model_that_is_its_backbone(recipe):
    config = dataclasses.replace(recipe, model={"name": "triplet"})
    with pytest.raises(InputError, match="'triplet' has no weights but the backbone's.* freeze_backbone_epochs=2"):
        build_experiment(config)
