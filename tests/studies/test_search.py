"""Searches with a trainer that writes what a trial writes, at once; tests/commands/test_tune.py has a real one."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from reid_tf.config import load_config, save_config
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.studies import tuner
from reid_tf.studies.plan import plan_search
from reid_tf.studies.ranges import Range, load_tuning
from reid_tf.studies.search import run_search
from reid_tf.training.run_directory import RunDirectory

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RATE = "optimizer.learning_rate"
RANGES = {RATE: Range(1e-4, 1e-1, "log")}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def plan(cache):
    """A function of ranges that returns the search over them."""
    small = [f"dataset.root={cache}", "dataset.identities=6", "dataset.images_per_identity=4", "epochs=3"]

    def make(ranges=RANGES, method="random", more=()):
        load = lambda overrides: load_config(CONFIGS / "multitask_synthetic.yaml", [*small, *more, *overrides])  # noqa: E731
        return plan_search(ranges, load, method)

    return make


@pytest.fixture
def trained(monkeypatch):
    """The (folder, resumed) of every trial; `trained.fate[folder]` may be a sentence to fail with, or an exception."""

    class Trained(list):
        """With what becomes of a trial."""

    seen = Trained()
    seen.fate = {}

    def train(config, folder, resume, training):
        seen.append((folder.name, resume))
        run = RunDirectory(folder, resume)
        run.make()
        save_config(config, run.path / "config.yaml")
        fate = seen.fate.get(folder.name, "")
        if fate:
            write_json(run.state, {})
            if isinstance(fate, str):
                return fate
            raise fate
        score = 1 / (1 + (math.log10(config.optimizer["learning_rate"]) + 2) ** 2)  # the best rate is 0.01
        write_json(run.path / "validation.json", {"epoch": 2, "val_mAP": score})
        write_json(run.path / "manifest.json", {"seconds": 12.3})
        run.finish()
        return ""

    monkeypatch.setattr(tuner, "train_in_own_process", train)
    monkeypatch.setattr("reid_tf.report.tuning.tuning_plot", lambda path, *_: path.touch())  # it has its own tests
    return seen


def rates(result):
    return [row.values[RATE] for row in result.rows]


@pytest.mark.parametrize("method", ["random", "bayesian", "hyperband"])
def test_an_interrupted_search_goes_on_and_ends_like_one_that_was_not(plan, trained, tmp_path, method):
    whole = run_search(plan(method=method), 6, tmp_path / "whole")
    assert len(set(rates(whole))) >= 4
    trained.clear()
    trained.fate = {"0005": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run_search(plan(method=method), 6, tmp_path / "again")
    assert pd.read_csv(tmp_path / "again" / "trials.csv")["state"].tolist() == ["finished"] * 4
    trained.fate = {}
    again = run_search(plan(method=method), 6, tmp_path / "again")
    assert trained[4:] == [("0005", False), ("0005", True), ("0006", False)]
    assert again == whole
    assert run_search(plan(method=method), 6, tmp_path / "again") == whole
    assert len(trained) == 7


def test_more_trials_continue_and_another_seed_draws_others(plan, trained, tmp_path):
    run_search(plan(), 9, tmp_path / "a")
    more = run_search(plan(), 11, tmp_path / "a")  # from one digit to two in KerasTuner's numbers
    assert [row.number for row in more.rows] == list(range(1, 12))
    assert len(trained) == 11
    assert more == run_search(plan(), 11, tmp_path / "b")
    assert not set(rates(more)) & set(rates(run_search(plan(more=["seed=2"]), 3, tmp_path / "c")))


def test_bayesian_proposals_come_closer_than_chance(plan, trained, tmp_path):
    def distance(result):
        return sum(abs(math.log10(rate) + 2) for rate in rates(result)[3:])  # the first three are random

    found = {method: run_search(plan(method=method), 7, tmp_path / method) for method in ("random", "bayesian")}
    assert distance(found["bayesian"]) < distance(found["random"])


def test_hyperband_goes_on_with_the_best(plan, trained, tmp_path):
    result = run_search(plan(method="hyperband"), 4, tmp_path / "a")
    first, last = ([row for row in result.rows if row.epochs == epochs] for epochs in (1, 3))
    assert (len(first), len(last)) == (3, 1)
    assert last[0].values == max(first, key=lambda row: row.score).values
    assert load_config(tmp_path / "a" / "trials" / "0004" / "config.yaml").epochs == 3


def test_the_best_file_is_the_configuration_of_the_best_trial(plan, trained, tmp_path):
    ranges = {RATE: Range(1e-4, 1e-1, "log", also=("optimizer.weight_decay",)), "seed": Range(1, 99)}
    result = run_search(plan(ranges), 5, tmp_path)
    table = pd.read_csv(tmp_path / "trials.csv")
    best = max(result.rows, key=lambda row: row.score)
    assert table["trial"][0] == best.number
    config = load_config(tmp_path / "best.yaml")
    assert config == load_config(tmp_path / "trials" / f"{best.number:04d}" / "config.yaml")
    values = table[f"{RATE}, optimizer.weight_decay"]
    assert config.optimizer["learning_rate"] == config.optimizer["weight_decay"] == values[0]
    assert isinstance(config.seed, int)
    header = (tmp_path / "best.yaml").read_text().splitlines()[:3]
    assert header[0].startswith(
        f"# The best of 5 finished trials of a random search, trial {best.number}: {RATE}=optimizer.w"
    )
    assert header[1].startswith(f"# Validated mAP {100 * best.score:.2f} %")
    assert f"reid-tf train --config {tmp_path / 'best.yaml'}" in header[2]


def test_a_trial_that_fails_is_shown_marked_and_keeps_no_other_from_running(plan, trained, tmp_path, caplog):
    trained.fate = {"0002": "The loss became nan."}
    result = run_search(plan(), 3, tmp_path)
    assert [row.state for row in result.rows] == ["finished", "failed", "finished"]
    assert result.error == ""
    assert "Trial 2 failed: The loss became nan." in caplog.text
    assert "- trial 2 failed: The loss became nan." in (tmp_path / "trials.md").read_text()
    state = json.loads((tmp_path / "keras_tuner" / "trial_1" / "trial.json").read_text())
    assert (state["status"], state["message"], state["score"]) == ("FAILED", "The loss became nan.", None)
    assert run_search(plan(), 3, tmp_path) == result
    assert len(trained) == 3


def test_after_three_failures_in_a_row_the_search_ends_and_begun_again_tries_the_next(plan, trained, tmp_path):
    trained.fate = dict.fromkeys(("0002", "0003", "0004", "0005"), "No memory.")
    result = run_search(plan(), 9, tmp_path)
    assert result.error == "The search ended after 4 of 9 trials, because the last 3 failed (No memory)."
    assert "after 5 of 9 trials" in run_search(plan(), 9, tmp_path).error
    again = run_search(plan(), 7, tmp_path)
    assert [row.state for row in again.rows[5:]] == ["finished"] * 2
    assert again.error == ""


def test_when_all_fail_that_is_the_result(plan, trained, tmp_path):
    trained.fate = dict.fromkeys(("0001", "0002"), "No memory.")
    result = run_search(plan(), 2, tmp_path)
    assert result.error == "All 2 trials failed: 1 (No memory); 2 (No memory)."
    assert not (tmp_path / "best.yaml").exists()


def test_lists_of_any_values_end_when_all_are_tried(plan, trained, tmp_path):
    sizes = ([64, 32], [128, 64])
    result = run_search(plan({"image_size": Range(values=sizes), "xla": Range(values=(False,))}), 5, tmp_path)
    assert sorted(row.values["image_size"] for row in result.rows) == sorted(sizes)
    assert (tmp_path / "trials.png").exists()


def test_another_search_is_in_the_way(plan, trained, tmp_path):
    run_search(plan(), 1, tmp_path)
    wider = {RATE: Range(1e-4, 1.0, "log")}
    for other, message in (
        (plan(method="bayesian"), "with method='random'; .* Received: method='bayesian'"),
        (plan(wider), rf"with ranges\.{RATE}=.*'max': 0.1, .* Received: ranges\.{RATE}=.*'max': 1.0"),
        (plan({**RANGES, "seed": Range(1, 9)}), r"with ranges\.seed=None; .* Received: ranges\.seed="),
        (plan(more=["epochs=4"]), "with epochs=3; .* Received: epochs=4"),
    ):
        with pytest.raises(InputError, match=f"holds another search, {message}"):
            run_search(other, 1, tmp_path)
    assert len(trained) == 1


def test_a_state_that_cannot_be_read_is_said_and_finished_trials_are_kept(plan, trained, tmp_path):
    whole = run_search(plan(), 2, tmp_path)
    (tmp_path / "keras_tuner" / "oracle.json").write_text("{")
    with pytest.raises(InputError, match=r"state of the search in .*keras_tuner' cannot be read .*remove that folder"):
        run_search(plan(), 2, tmp_path)
    for path in sorted((tmp_path / "keras_tuner").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert run_search(plan(), 2, tmp_path) == whole
    assert len(trained) == 2


def test_everything_is_checked_first(plan, trained, tmp_path):
    with pytest.raises(InputError, match="Did you mean 'learning_rate'"):
        plan({"optimizer.learning_rat": Range(0.1, 0.2)})
    with pytest.raises(InputError, match="'probability'.* Received: 'often'"):
        plan({"augment.random_erasing.probability": Range(values=(0.1, "often"))})
    with pytest.raises(InputError, match="Unknown method of a search: 'bayes'. Did you mean 'bayesian'"):
        plan(method="bayes")
    with pytest.raises(InputError, match="at least 3 epochs, for two rungs. Received: epochs=2"):
        plan(method="hyperband", more=["epochs=2"])
    with pytest.raises(InputError, match="Hyperband itself chooses the epochs. Received: ranges of epochs"):
        plan({"epochs": Range(3, 9)}, method="hyperband")
    for validation in ("null", "{name: test}"):
        with pytest.raises(InputError, match="held out of the training images, never on the test set"):
            plan(more=[f"evaluation.validation={validation}"])
    with pytest.raises(InputError, match="at least one trial. Received: trials=0"):
        run_search(plan(), 0, tmp_path / "a")
    with pytest.raises(InputError, match="nowhere"):
        run_search(plan(more=["dataset={name: market1501, root: nowhere}"]), 1, tmp_path / "a")
    assert not trained
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("path", sorted((CONFIGS / "tuning").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_tuning_file_is_valid_and_has_its_header(path):
    found = load_tuning(path)
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    (command,) = (line for line in header if line.startswith("# Run:"))
    assert command.startswith(f"# Run: python tools/tune.py --config configs/tuning/{path.name}")
    method = command.partition("--method ")[2].partition(" ")[0] or "random"
    plan_search(found.ranges, lambda more: load_config(found.config, [*found.set, *more]), method)
    assert any(line.startswith("# Reported by the paper:") for line in header)
    assert any(line.startswith("# Measured:") for line in header)
