import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_tf.commands import train
from reid_tf.commands.command_line import CONFIGS
from reid_tf.commands.train import free_folder
from reid_tf.config import load_config, save_config
from reid_tf.retrieval.embeddings import Embeddings
from tests.commands.made_run import plain_encoder, write_run

SMALL = (
    "dataset.identities=12", "dataset.images_per_identity=6", "image_size=[32,16]", "batches.identities_per_batch=4",
    "backbone.width=4", "model.embedding_dim=8", "epochs=1", "evaluation.ranked_lists=2",
)  # fmt: skip


def overrides(cache, *more):
    return [part for setting in (f"dataset.root={cache}", *SMALL, *more) for part in ("--set", setting)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def trained(run, cache, tmp_path):
    result = run("train", "--model", "multitask", "--out", tmp_path / "a", *overrides(cache))
    assert result.returncode == 0, result.stderr
    return tmp_path / "a", result


def test_train_evaluate_and_embed(run, trained, cache, tmp_path):
    directory, result = trained
    for name in ("trained encoder", "untrained encoder", "colour histogram"):
        assert f"| {name}" in result.stdout
    assert f"pictures: {directory / 'report'}" in result.stdout

    result = run("evaluate", "--run", directory, "--multi-query", "mean", "--out", tmp_path / "evaluation")
    assert result.returncode == 2
    assert "has 0 images for multi-query evaluation" in result.stderr
    result = run("evaluate", "--run", directory, "--data", cache, "--out", tmp_path / "evaluation")
    assert result.returncode == 0, result.stderr
    measured = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    expected = json.loads((directory / "metrics.json").read_text())
    assert measured["mAP"] == pytest.approx(expected["mAP"], abs=1e-6)

    crops = tmp_path / "crops"
    crops.mkdir()
    for index, height in enumerate((40, 60)):
        cv2.imwrite(str(crops / f"{index}.png"), np.full((height, 20, 3), 90, np.uint8))
    result = run("embed", "--run", directory, "--images", crops, "--out", tmp_path / "crops.npz")
    assert result.returncode == 0, result.stderr
    embeddings = Embeddings.load(tmp_path / "crops.npz")
    assert embeddings.vectors.shape == (2, 8)
    assert [Path(path).name for path in embeddings.paths] == ["0.png", "1.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name an experiment with --config or a model with --model"),
        (("--model", "multitsk"), "Unknown model: 'multitsk'. Did you mean 'multitask'"),
        (("--config", "none.yaml"), "There is no configuration file 'none.yaml'"),
        (("--model", "multitask", "--set", "epoch=1"), "Did you mean 'epochs'"),
        (("--model", "multitask", "--set", "model.name=baseline"), "--model says 'multitask', but"),
        (("--model", "multitask", "--set", "dataset.name=market1501"), "--data"),
        (("--model", "multitask", "--set", "dataset.name=market1501", "--data", "nowhere"), "nowhere"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run("train", *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_resume_needs_a_directory(run):
    result = run("train", "--model", "multitask", "--resume")
    assert result.returncode == 2
    assert "--resume needs --out" in result.stderr


@pytest.mark.parametrize("place", ["a.unfinished", "a"])
def test_a_run_goes_on_by_its_own_configuration(run, tmp_path, monkeypatch, place):
    config = load_config(CONFIGS / "multitask_synthetic.yaml", ["seed=7"])
    (tmp_path / place).mkdir()
    save_config(config, tmp_path / place / "config.yaml")
    seen = []
    monkeypatch.setattr(train, "train_and_print", lambda *given: seen.append(given))
    assert run("train", "--resume", "--out", tmp_path / "a").returncode == 0
    assert run("train", "--resume", "--out", tmp_path / "a", "--set", "seed=8").returncode == 0
    (first, out, resume), (other, *_) = seen
    assert (first.to_dict(), out, resume) == (config.to_dict(), str(tmp_path / "a"), True)
    assert other.seed == 8
    assert "Name an experiment" in run("train", "--resume", "--out", tmp_path / "b").stderr


def test_a_configuration_that_lies_here_is_not_taken_unasked(run, tmp_path, monkeypatch):
    save_config(load_config(CONFIGS / "multitask_synthetic.yaml"), tmp_path / "config.yaml")
    monkeypatch.chdir(tmp_path)
    assert "Name an experiment" in run("train", "--out", tmp_path / "a").stderr


def test_embed_says_what_is_missing(run, tmp_path):
    directory = write_run(tmp_path / "a", plain_encoder())
    (tmp_path / "empty").mkdir()
    for images, message in (
        (tmp_path / "empty", "There are no images"),
        (tmp_path / "no", "must be a folder or a CSV"),
    ):
        result = run("embed", "--run", directory, "--images", images, "--out", tmp_path / "x.npz")
        assert result.returncode == 2
        assert message in result.stderr
    result = run("embed", "--run", tmp_path / "no", "--images", tmp_path, "--out", tmp_path / "x.npz")
    assert result.returncode == 2


@pytest.mark.parametrize("taken", ["default", "default.unfinished"])
def test_a_name_that_is_taken_gets_the_time_behind_it(tmp_path, taken):
    wanted = tmp_path / "default"
    assert free_folder(wanted) == wanted
    (tmp_path / taken).mkdir()
    assert re.fullmatch(r"default-\d{8}-\d{6}", free_folder(wanted).name)
