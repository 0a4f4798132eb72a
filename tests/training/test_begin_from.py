"""Fine-tuning: what fits of another run is taken, what does not is named, and nothing else."""

import dataclasses
import json
import logging
import shutil

import numpy as np
import pytest

from reid_tf.commands.train import fine_tuned
from reid_tf.config import ExperimentConfig, parse_config
from reid_tf.errors import InputError
from reid_tf.training.experiment import build_experiment
from reid_tf.training.train import train


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> ExperimentConfig:
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
            "backbone": {"name": "resnet18", "width": 4, "stem": "light"},
            "model": {"name": "triplet", "embedding_dim": 8, "identity": True, "batch_norm_neck": True},
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "schedule": {"name": "constant"},
            "epochs": 2,
            "evaluation": {"batch_size": 32, "ranked_lists": 1},
        }
    )


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    return train(recipe, tmp_path_factory.mktemp("runs") / "first").run_directory


def others(recipe: ExperimentConfig, run, **changes) -> ExperimentConfig:
    """The same recipe for other people and larger images."""
    dataset = {**recipe.dataset, "identities": 16, "seed": 1}
    return dataclasses.replace(recipe, dataset=dataset, image_size=(48, 24), begin_from=str(run), **changes)


def saved(run) -> dict[str, np.ndarray]:
    from reid_tf.keras_file import load_keras

    return {variable.path: np.asarray(variable) for variable in load_keras(run / "model.keras").weights}


def assert_has(model, weights: dict[str, np.ndarray], but: set[str] = frozenset()) -> None:
    compared = 0
    for variable in model.weights:
        if variable.path not in but:
            np.testing.assert_array_equal(variable, weights[variable.path])
            compared += 1
    assert compared > 20


def test_what_fits_is_taken_and_the_log_names_the_rest(recipe, run, caplog):
    with caplog.at_level(logging.INFO, logger="reid_tf"):
        experiment = build_experiment(others(recipe, run))
    people = experiment.training.num_identities
    assert people != 8
    assert_has(experiment.system.model, saved(run), {"identity_classifier/kernel", "identity_classifier/bias"})
    assert f"begin_from {run}: " in caplog.text
    assert f"| identity_classifier | 8 x 8, 8 | 8 x {people}, {people} |" in caplog.text
    taken = {variable.path for variable in experiment.pretrained}
    assert "conv1_conv/kernel" in taken
    assert not {path for path in taken if path.startswith("identity_classifier") or "moving" in path}


def test_other_heads_begin_anew_and_those_left_behind_are_named(recipe, run, caplog):
    model = {"name": "sharenet", "embedding_dim": 8, "shared_layers": 3}
    with caplog.at_level(logging.INFO, logger="reid_tf"):
        experiment = build_experiment(others(recipe, run, model=model))
    weights = saved(run)
    parts = (experiment.system.model, *experiment.system.backbone_copies)
    for part in parts:
        assert_has(part, weights, {v.path for v in experiment.system.model.weights if v.path not in weights})
    assert "| identity_classifier | 8 x 8, 8 | - |" in caplog.text
    assert "| attribute_classifier | - |" in caplog.text


def test_an_encoder_file_and_a_backbones_weights(recipe, run, tmp_path):
    experiment = build_experiment(others(recipe, run / "encoder.keras"))
    weights = saved(run)
    assert_has(experiment.system.encoder, weights)
    experiment.backbone[0].save_weights(tmp_path / "backbone.weights.h5")
    alone = build_experiment(others(recipe, tmp_path / "backbone.weights.h5"))
    assert_has(alone.backbone[0], weights)
    assert {v.path for v in alone.pretrained} == {v.path for v in alone.backbone[0].trainable_variables}


def test_an_export_leads_to_its_run(recipe, run, tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    (export / "export.json").write_text(json.dumps({"format": "litert", "run": str(run)}))
    assert_has(build_experiment(others(recipe, export)).system.encoder, saved(run))
    (export / "export.json").write_text(json.dumps({"format": "litert", "run": str(tmp_path / "gone")}))
    with pytest.raises(InputError, match=r"without batch normalisations.*gone', which is not there"):
        build_experiment(others(recipe, export))


@pytest.mark.slow
def test_a_training_that_begins_from_a_run_resumes_and_is_complete(recipe, run, tmp_path):
    config = fine_tuned(others(recipe, run), str(run), [])
    assert (config.freeze_backbone_epochs, config.optimizer["pretrained_rate"]) == (1, 0.1)
    out = train(config, tmp_path / "second").run_directory
    references = json.loads((out / "metrics.json").read_text())["references"]
    assert set(references) == {"encoder_at_the_start", "colour_histogram"}


def test_what_the_command_line_says_stands(recipe, run, caplog):
    config = dataclasses.replace(recipe, backbone={**recipe.backbone, "weights": "imagenet"})
    with caplog.at_level(logging.INFO):
        tuned = fine_tuned(config, str(run), ["freeze_backbone_epochs=0"])
    assert tuned.freeze_backbone_epochs == 0
    assert "weights" not in tuned.backbone
    assert "learns at 0.1 of the rate" in caplog.text
    chosen = dataclasses.replace(recipe, optimizer={**recipe.optimizer, "pretrained_rate": 0.5})
    assert fine_tuned(chosen, str(run), []).optimizer["pretrained_rate"] == 0.5


def test_one_epoch_is_not_frozen(recipe, run):
    assert fine_tuned(dataclasses.replace(recipe, epochs=1), str(run), []).freeze_backbone_epochs == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"backbone": {"name": "resnet18", "width": 8, "stem": "light"}},
            r"fits the backbone 'resnet18': 'conv1_conv/kernel' has shape \(3, 3, 3, 4\) there, .*\(3, 3, 3, 8\) here",
        ),
        ({"backbone": {"name": "osnet_x0_25"}}, r"fits the backbone 'osnet_x0_25': 'conv1_conv/kernel' has shape"),
        (
            {"model": {"name": "joint_loss", "shared_layers": 2, "branch_widths": [4] * 3, "part_dims": [4] * 3}},
            r"run '.*first' sees image, and the model 'joint_loss' sees image and part_boxes: begin_from needs",
        ),
    ],
)
def test_another_network_is_named(recipe, run, changes, message):
    with pytest.raises(InputError, match=message):
        build_experiment(others(recipe, run, **changes))


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: None])
def test_what_is_no_run_is_named(recipe, tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(InputError, match=r"must name a finished run, an export, .*Received: '.*x'"):
        build_experiment(others(recipe, tmp_path / "x"))


def test_a_damaged_run_and_two_beginnings(recipe, run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    with (copy / "model.keras").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"model\.keras"):
        build_experiment(others(recipe, copy))
    tree = {**recipe.to_dict(), "begin_from": str(run), "initial_weights": "a.weights.h5"}
    with pytest.raises(InputError, match="give initial_weights or begin_from"):
        parse_config(tree)
