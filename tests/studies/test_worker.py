"""Two workers on this machine, as a user starts them; one is killed and started again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reid_tf.errors import InputError
from reid_tf.studies import worker
from reid_tf.training.workers import WorkerLostError, Workers
from tests.training.test_workers import free_addresses

TRAIN = Path(__file__).resolve().parents[2] / "tools" / "train.py"
SMALL = ("dataset.identities=24", "dataset.images_per_identity=6", "evaluation.every=8", "image_size=[32,16]")
BATCHES = "batches={name: identity_pairs, identities_per_batch: 4, images_per_identity: 2, positive_share: 0.5}"


def start(addresses, index, folder, *options):
    """Starts a worker; its output goes to a file named after it."""
    words = ["--model", "multitask", "--workers", ",".join(addresses), "--worker-index", str(index), *options]
    words += ["--out", str(folder / f"run{index}"), "--set", f"dataset.root={folder / 'images'}", *SMALL, BATCHES]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with open(folder / f"{index}.log", "ab") as log:
        return subprocess.Popen([sys.executable, str(TRAIN), *words], stdout=log, stderr=log, env=environment)


def wait_for(text, path, process, seconds=120):
    end = time.monotonic() + seconds
    while not re.search(text, path.read_text()):
        assert time.monotonic() < end, path.read_text()[-3000:]
        assert process.poll() is None, path.read_text()[-3000:]
        time.sleep(0.2)


@pytest.fixture
def two(tmp_path):
    started = []
    yield lambda *arguments: started.append(start(*arguments)) or started[-1]
    for process in started:
        process.kill()


@pytest.mark.slow
def test_killed_workers_are_started_again_and_the_run_goes_on(two, tmp_path):
    addresses, epochs = free_addresses(2), 16
    workers = [two(addresses, index, tmp_path, f"epochs={epochs}") for index in (0, 1)]
    for killed, seen in ((1, "epoch 3/16"), (0, "epoch 6/16")):  # a worker, and later the chief
        wait_for(seen, tmp_path / "0.log", workers[0])
        workers[killed].send_signal(signal.SIGKILL)
        stays = 1 - killed
        wait_for("went away. Start it again", tmp_path / f"{stays}.log", workers[stays])
        assert not (tmp_path / "run0").exists()
        resumed = ["--resume"] if killed == 0 else []
        workers[killed] = two(addresses, killed, tmp_path, f"epochs={epochs}", *resumed)
    assert [worker.wait(240) for worker in workers] == [0, 0], (tmp_path / "0.log").read_text()[-3000:]
    manifest = json.loads((tmp_path / "run0" / "manifest.json").read_text())
    history = (tmp_path / "run0" / "history.csv").read_text().splitlines()
    assert manifest["epochs"] == epochs
    assert len(history) == 1 + epochs
    assert [path.name for path in tmp_path.glob("run*")] == ["run0"]  # nothing of the other, nothing unfinished


def test_a_chief_whose_workers_go_away_again_and_again_gives_up(monkeypatch, tmp_path):
    tried = []

    def lose(config, folder, resume, training):
        tried.append(resume)
        return WorkerLostError("The training stopped because worker 1 (b:2) went away.")

    monkeypatch.setattr(worker, "try_in_own_process", lose)
    with pytest.raises(InputError, match="worker 1 .* went away. That was the 3rd time without an epoch in between"):
        worker.work(None, tmp_path / "run", Workers(("a:1", "b:2"), 0))
    assert tried == [False] * 3


def test_what_is_wrong_with_this_worker_is_not_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "try_in_own_process", lambda *_: InputError("The loss became nan."))
    with pytest.raises(InputError, match="The loss became nan"):
        worker.work(None, tmp_path / "run", Workers(("a:1", "b:2"), 1))


@pytest.mark.slow
def test_workers_of_two_configurations_say_so_before_the_first_step(two, tmp_path):
    addresses = free_addresses(2)
    workers = [two(addresses, index, tmp_path, f"epochs={16 + index}") for index in (0, 1)]
    assert [worker.wait(120) for worker in workers] == [2, 2]
    for index in (0, 1):
        said = (tmp_path / f"{index}.log").read_text()
        assert re.search(r"error: Worker 1 \(.*\) differs from the chief \(.*\) in epochs: 17 instead of 16", said)
        assert "epoch 1/" not in said
    assert not list(tmp_path.glob("run*"))
