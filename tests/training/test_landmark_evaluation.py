"""A pose estimator from a configuration to a finished run, and what its landmarks are worth."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from reid_tf.config import ExperimentConfig, parse_config
from reid_tf.datasets.joint_orders import JOINTS
from reid_tf.datasets.landmarks import LANDMARKS_FILE, read_landmarks, write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.pipeline.detect import detect_landmarks
from reid_tf.pose.landmark_metrics import landmark_metrics
from reid_tf.registry import DETECTORS
from reid_tf.training.experiment import build_experiment
from reid_tf.training.landmark_evaluation import LandmarkEvaluation
from reid_tf.training.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> ExperimentConfig:
    cache = tmp_path_factory.mktemp("cache")
    return parse_config(
        {
            "dataset": {"name": "synthetic", "root": str(cache), "identities": 12, "images_per_identity": 6},
            "image_size": [32, 16],
            "augment": [{"name": "flip"}],
            "batches": {"name": "images", "batch_size": 8},
            "backbone": {"name": "vgg_front", "stackwise_num_convolutions": [1, 1], "stackwise_channels": [4, 8]},
            "model": {
                "name": "cpm",
                "stages": 2,
                "width": 8,
                "refinement_convolutions": 1,
                "refinement_kernel": 5,
                "peak_weight": 3.0,
            },
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "schedule": {"name": "cosine"},
            "epochs": 2,
            "evaluation": {"validation": {"name": "held_out", "share": 0.3}, "every": 1},
        }
    )


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    return train(recipe, tmp_path_factory.mktemp("runs") / "a")


@pytest.fixture(scope="module")
def test_records(recipe):
    dataset = load_dataset("synthetic", **{key: value for key, value in recipe.dataset.items() if key != "name"})
    return [record for record in (*dataset.query, *dataset.gallery) if record.landmarks is not None]


def read(finished, name):
    return json.loads((finished.run_directory / name).read_text())


def test_a_run_directory_is_complete(finished):
    names = {path.name for path in finished.run_directory.iterdir()}
    assert names == {
        "config.yaml", "manifest.json", "metrics.json", "history.csv", "model.keras", "checkpoints", "report", "logs",
    }  # fmt: skip
    assert {path.name for path in (finished.run_directory / "report").iterdir()} == {
        "landmarks.png",
        "learning_curves.png",
    }
    assert cv2.imread(str(finished.run_directory / "report" / "landmarks.png")).std() > 10
    history = pd.read_csv(finished.run_directory / "history.csv")
    assert {"loss", "stage1_loss", "stage2_loss", "learning_rate", "val_PCK"} <= set(history)
    manifest = read(finished, "manifest.json")
    assert manifest["detector"] == {"image_size": [32, 16]}
    assert "encoder" not in manifest


def test_metrics_are_those_of_the_saved_model_as_a_detector(finished, test_records):
    metrics = read(finished, "metrics.json")
    assert metrics == {**finished.metrics["trained_detector"], "references": metrics["references"]}
    detector = DETECTORS.build({"name": "cpm", "run": str(finished.run_directory)})
    found = np.stack(list(detect_landmarks(detector, test_records)))
    assert found.shape == (len(test_records), 18, 3)
    assert 0 <= found.min() <= found.max() <= 1
    again = landmark_metrics(found, np.stack([record.landmarks for record in test_records]), (32, 16))
    assert metrics["PCK"] == pytest.approx(again.mean, abs=1e-3)
    assert list(metrics["PCK_by_joint"]) == list(JOINTS)
    assert list(metrics["PCK_by_joint"].values()) == pytest.approx(again.per_joint.tolist(), abs=0.02)
    assert metrics["images"] + metrics["skipped_images"] == len(test_records)


def test_the_mean_pose_is_that_of_the_landmarks_that_are_shown(finished, recipe, test_records):
    """Image by image. Where a landmark is hidden, its place is the corner of the image and says nothing."""
    records = build_experiment(recipe).training.train
    mean = np.zeros((18, 3))
    for joint in range(18):
        shown = [record.landmarks[joint] for record in records if record.landmarks[joint, 2] > 0]
        mean[joint] = sum(np.float64(place) for place in shown) / len(shown)
    true = np.stack([record.landmarks for record in test_records])
    expected = landmark_metrics(np.stack([mean] * len(true)), true, (32, 16)).to_dict()
    assert 0 < expected["PCK"] < 1
    references = read(finished, "metrics.json")["references"]
    assert list(references) == ["mean_pose"]
    assert references["mean_pose"] == expected


def test_the_best_epoch_is_the_one_that_is_kept(finished):
    history = pd.read_csv(finished.run_directory / "history.csv")
    assert history["val_PCK"].between(0, 1).all()
    best = history["val_PCK"].idxmax()
    manifest = read(finished, "manifest.json")
    assert manifest["best_epoch_weights"] == f"epoch-{best + 1:04d}.weights.h5"
    assert manifest["best_val_PCK"] == pytest.approx(history["val_PCK"][best])


def test_the_table_shows_both(finished):
    (table,) = finished.tables
    lines = table.splitlines()
    assert lines[0].split() == ["|", "PCK,", "%", "|", "trained", "|", "mean", "pose", "|"]
    assert len(lines) == 2 + 1 + 18 + 1
    assert f"{100 * finished.metrics['trained_detector']['PCK']:.1f}" in lines[2]


def test_validation_is_every_few_epochs_and_after_the_last(recipe, tmp_path):
    experiment = build_experiment(recipe)
    evaluation = LandmarkEvaluation(experiment)
    evaluation.validate = lambda: SimpleNamespace(mean=0.25)
    options = dataclasses.replace(recipe.evaluation, every=3)
    evaluation.experiment = dataclasses.replace(experiment, config=dataclasses.replace(recipe, evaluation=options))
    callback = evaluation.validation()
    callback.set_model(experiment.compile())
    callback.set_params({"epochs": 7})
    validated = []
    for epoch in range(7):
        logs = {}
        callback.on_epoch_end(epoch, logs)
        assert not logs or (logs["val_PCK"] == 0.25 and {f"val_stage{number}_loss" for number in (1, 2)} <= set(logs))
        validated += [epoch + 1] if logs else []
    assert validated == [3, 6, 7]


def test_a_pose_estimator_has_no_encoder(finished):
    with pytest.raises(InputError, match=r"there is no '.*encoder.keras'") as error:
        load_encoder(finished.run_directory)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [None, "bounding_box_train/"])
def test_images_without_landmarks_are_said_before_training(recipe, tmp_path, kept):
    folder = shutil.copytree(next(Path(recipe.dataset["root"]).glob("synthetic-*")), tmp_path / "data")
    landmarks = read_landmarks(folder / LANDMARKS_FILE)
    (folder / LANDMARKS_FILE).unlink()
    if kept:
        write_landmarks(folder / LANDMARKS_FILE, {path: landmarks[path] for path in landmarks if path.startswith(kept)})
    config = dataclasses.replace(recipe, dataset={"name": "market1501", "root": str(folder)})
    message = r"A pose estimator is judged by landmarks, and none of \d+ images has any\.$"
    with pytest.raises(InputError, match=message):
        train(config, tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_test_images_without_landmarks_are_left_out(recipe, tmp_path):
    folder = shutil.copytree(next(Path(recipe.dataset["root"]).glob("synthetic-*")), tmp_path / "data")
    landmarks = read_landmarks(folder / LANDMARKS_FILE)
    dropped = [path for path in landmarks if path.startswith("query/")]
    write_landmarks(folder / LANDMARKS_FILE, {path: landmarks[path] for path in landmarks if path not in dropped})
    config = dataclasses.replace(recipe, dataset={"name": "market1501", "root": str(folder)})
    evaluation = LandmarkEvaluation(build_experiment(config))
    assert {Path(record.path).parent.name for record in evaluation.test} == {"bounding_box_test"}
    figures = evaluation.references()["mean_pose"]
    assert figures["images"] + figures["skipped_images"] == len(evaluation.test)
