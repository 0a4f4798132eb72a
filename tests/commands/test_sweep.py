import json

import pytest

from reid_tf.studies import sweep

SMALL = (
    "dataset.identities=12", "dataset.images_per_identity=6", "image_size=[32,16]", "batches.batch_size=16",
    "backbone.width=4", "model.embedding_dim=8", "epochs=1", "steps_per_epoch=2", "evaluation.ranked_lists=2",
)  # fmt: skip


@pytest.mark.slow
def test_a_run_of_a_sweep_in_its_own_process_is_what_the_training_tool_makes(run, tmp_path):
    small = [part for setting in (f"dataset.root={tmp_path / 'cache'}", *SMALL) for part in ("--set", setting)]
    assert run("train", "--model", "baseline", "--out", tmp_path / "one", *small, "--set", "seed=2").returncode == 0
    result = run("sweep", "--model", "baseline", "--vary", "seed=[2]", "--out", tmp_path / "all", *small)
    assert result.returncode == 0, result.stderr
    assert "1 of 1 runs finished." in result.stdout
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"seed=2", "sweep.csv", "sweep.md", "sweep.png"}

    one, swept = tmp_path / "one", tmp_path / "all" / "seed=2"
    assert {path.name for path in one.iterdir()} == {path.name for path in swept.iterdir()}
    assert (one / "config.yaml").read_text() == (swept / "config.yaml").read_text()
    expected, measured = (json.loads((folder / "metrics.json").read_text()) for folder in (one, swept))
    assert expected["references"] == measured["references"]
    for metric in ("rank1", "mAP", "mINP"):
        assert measured[metric] == pytest.approx(expected[metric], abs=1e-3)


def test_a_sweep_file_with_data_and_further_overrides(run, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(sweep, "train_in_own_process", lambda config, *_: seen.append(config) or "stopped")
    path = tmp_path / "sweep.yaml"
    path.write_text("config: base.yaml\nvary: {seed: [3, 4]}\nset: [epochs=5, dataset.identities=6]")
    (tmp_path / "base.yaml").write_text(
        "dataset: {name: synthetic, images_per_identity: 4}\nimage_size: [32, 16]\nbackbone: {name: tiny}\n"
        "model: {name: baseline}\nbatches: {name: images, batch_size: 4}\noptimizer: {name: sgd, learning_rate: 0.1}\n"
        "schedule: {name: constant}\nepochs: 1\n"
    )
    result = run("sweep", "--sweep", path, "--data", tmp_path / "cache", "--set", "epochs=6", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr == "error: 2 of 2 runs failed: seed=3 (stopped); seed=4 (stopped).\n"
    assert [(config.seed, config.epochs) for config in seen] == [(3, 6), (4, 6)]
    assert seen[0].dataset["root"] == str(tmp_path / "cache")


def test_runs_are_repeated_from_the_command_line(run, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(sweep, "train_in_own_process", lambda config, *_: seen.append(config) or "stopped")
    vary = "--model", "baseline", "--vary", "epochs=[1,2]", "--set", f"dataset.root={tmp_path / 'cache'}"
    result = run("sweep", *vary, *[f"{one}" for one in SMALL[:2]], "--repeat", "seed=[5,6,7]", "--out", tmp_path / "a")
    assert result.stderr.startswith("error: 6 of 6 runs failed: epochs=1,seed=5 (stopped); ")
    assert [(config.epochs, config.seed) for config in seen] == [(1, 5), (1, 6), (1, 7), (2, 5), (2, 6), (2, 7)]
    assert "Each row is the mean over its runs" in result.stdout
    path = tmp_path / "sweep.yaml"
    path.write_text("config: none.yaml\nrepeat: {key: seed, values: [1, 2]}")
    result = run("sweep", "--sweep", path, "--repeat", "seed=[1,2]", "--out", tmp_path / "b")
    assert result.stderr.endswith("sweep.yaml' repeats 'seed'; leave out --repeat.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "multitask"), "A sweep varies an option over at least one value"),
        (("--vary", "epochs=[1,2]"), "Name an experiment with --config or a model with --model"),
        (("--model", "multitask", "--vary", "epochs"), "Received: 'epochs'"),
        (("--model", "multitask", "--vary", "epochs=3"), "Received: 'epochs=3'"),
        (("--model", "multitask", "--vary", "epochs=[1", "--set", "seed=2"), "cannot be read"),
        (("--model", "multitask", "--vary", "epochs=[1]", "--vary", "epochs=[2]"), "each option once"),
        (("--model", "multitask", "--repeat", "seed=3"), "--repeat is an option and a list"),
        (("--model", "multitask", "--repeat", "seed=[3]"), "at least two values of an option"),
        (("--model", "multitask", "--repeat", "seeds=[3,4]"), "Did you mean 'seed'"),
        (("--model", "multitask", "--vary", "seed=[1]", "--repeat", "seed=[3,4]"), "either varied or repeated"),
        (("--model", "multitask", "--vary", "epoch=[1,2]"), "Did you mean 'epochs'"),
        (("--sweep", "none.yaml"), "There is no sweep file 'none.yaml'"),
        (("--sweep", "a.yaml", "--vary", "epochs=[1]", "--model", "multitask"), "leave out --model multitask, --vary"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run("sweep", *arguments, "--out", "out")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
