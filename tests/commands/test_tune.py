import json

import pandas as pd
import pytest

from reid_tf.config import load_config
from reid_tf.studies import tuner

FILE = """config: base.yaml
set: [epochs=2, dataset.identities=12]
ranges:
  loss_weights.identity_a: {min: 0.1, max: 2.0, sampling: log, also: [loss_weights.identity_b]}
  augment.random_erasing.probability: {min: 0.0, max: 1.0, step: 0.25}
"""
BASE = """dataset: {name: synthetic, images_per_identity: 6}
image_size: [32, 16]
augment: [{name: random_erasing}]
backbone: {name: tiny, width: 4}
model: {name: multitask, embedding_dim: 8}
batches: {name: pairs, batch_size: 16}
optimizer: {name: sgd, learning_rate: 0.1}
schedule: {name: constant}
epochs: 1
evaluation: {validation: {name: held_out, share: 0.4}, every: 1}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "tuning.yaml").write_text(FILE)
    return tmp_path / "tuning.yaml"


@pytest.mark.slow
def test_a_search_with_a_real_trial_in_its_own_process(run, file, tmp_path):
    out = tmp_path / "out"
    common = ("--config", file, "--data", tmp_path / "cache", "--set", "steps_per_epoch=2", "--out", out)
    result = run("tune", *common, "--trials", 1)
    assert result.returncode == 0, result.stderr
    assert "1 of 1 trials finished." in result.stdout
    assert f"reid-tf train --config {out}/best.yaml" in result.stdout
    assert "Reloading" not in result.stdout + run("tune", *common, "--trials", 1).stdout
    names = {"trials.csv", "trials.md", "trials.png", "trials", "best.yaml", "search.json", "keras_tuner"}
    assert {path.name for path in out.iterdir()} == names
    config = load_config(out / "best.yaml")
    assert config == load_config(out / "trials" / "0001" / "config.yaml")
    assert (config.epochs, config.steps_per_epoch) == (2, 2)
    assert config.dataset["root"] == str(tmp_path / "cache")
    assert config.loss_weights["identity_a"] == config.loss_weights["identity_b"]
    table = pd.read_csv(out / "trials.csv")
    validation = json.loads((out / "trials" / "0001" / "validation.json").read_text())
    assert table["val_mAP"][0] == validation["val_mAP"] > 0


def test_when_every_trial_fails_the_tool_does(run, file, tmp_path, monkeypatch):
    monkeypatch.setattr(tuner, "train_in_own_process", lambda *_: "stopped")
    common = ("--config", file, "--data", tmp_path / "cache", "--out", tmp_path / "out")
    result = run("tune", *common, "--trials", 2)
    assert result.returncode == 2
    assert result.stderr == "error: All 2 trials failed: 1 (stopped); 2 (stopped).\n"
    assert "- trial 2 failed: stopped" in result.stdout
    assert "best:" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", "0"), "--trials: it must be at least 1. Received: 0"),
        (("--trials", "1", "--method", "grid"), "Unknown method of a search: 'grid'. Allowed: bayesian"),
        (("--trials", "1", "--set", "evaluation.validation.name=test"), "never on the test set"),
        (("--trials", "1", "--set", "model.name=multitusk"), "Did you mean 'multitask'"),
        (("--trials", "1", "--data", "base.yaml"), "base.yaml"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(run, file, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run("tune", "--config", file, *arguments, "--out", "out")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not (tmp_path / "out").exists()
