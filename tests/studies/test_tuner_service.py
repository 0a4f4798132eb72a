"""A search that several processes of this machine share, as a user starts them; one of them is killed."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from reid_tf.errors import InputError
from reid_tf.studies.tuner_service import TunerService, service_of_environment
from tests.training.test_workers import free_addresses

TUNE = Path(__file__).resolve().parents[2] / "tools" / "tune.py"
FILE = """config: base.yaml
set: [dataset.identities=12]
ranges: {optimizer.learning_rate: {min: 1.0e-3, max: 1.0e-1, sampling: log}}
"""
BASE = """dataset: {name: synthetic, images_per_identity: 6}
image_size: [32, 16]
backbone: {name: tiny, width: 4}
model: {name: multitask, embedding_dim: 8}
batches: {name: pairs, batch_size: 16}
optimizer: {name: sgd, learning_rate: 0.1}
schedule: {name: constant}
epochs: 20
evaluation: {validation: {name: held_out, share: 0.4}, every: 20}
"""


def test_the_service_of_keras_tuners_variables(monkeypatch):
    for name in ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"):
        monkeypatch.delenv(name, raising=False)
    assert service_of_environment() is None
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "10.0.0.1")
    with pytest.raises(InputError, match=r"belong together. Received: .*'KERASTUNER_ORACLE_PORT': ''"):
        service_of_environment()
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "4000")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert service_of_environment() == TunerService("10.0.0.1:4000", "chief")
    assert service_of_environment().is_chief


@pytest.mark.parametrize(
    ("address", "name", "said"),
    [("a", "chief", "host:port.*Received: 'a'"), ("a:1", "", "needs a name.*Received: ''")],
)
def test_a_service_that_cannot_be(address, name, said):
    with pytest.raises(InputError, match=said):
        TunerService(address, name)


def test_a_chief_that_is_not_there_and_a_port_in_use_are_sentences(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (address,) = free_addresses(1)
    with pytest.raises(InputError, match=f"No chief of a search answered within 0.3 seconds.*Received: '{address}'"):
        TunerService(address, "a", patience=0.3).join()
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=f"cannot be opened here .*Received: '{taken}'"):
            TunerService(taken, "chief").join()


def test_a_worker_whose_chief_is_away_keeps_giving_signs(caplog):
    given = threading.Event()

    class Oracle:
        asked = 0

        def get_trial(self, trial):
            self.asked += 1
            if self.asked == 1:
                raise ConnectionError("the chief is away")
            given.set()

    with TunerService("a:1", "one", patience=0.3).working_on(Oracle(), "0"):
        assert given.wait(10)
    assert "a sign to the chief failed (the chief is away); the next one is in 0.05 seconds" in caplog.text


@pytest.mark.slow
def test_two_workers_share_the_trials_and_the_trial_of_a_killed_one_is_anothers(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "tuning.yaml").write_text(FILE)
    (address,) = free_addresses(1)
    out = tmp_path / "out"

    def start(name):
        words = ["--config", str(tmp_path / "tuning.yaml"), "--trials", "3", "--out", str(out), "--chief", address]
        words += ["--tuner-id", name, "--patience", "6", "--data", str(tmp_path / "images")]
        with open(tmp_path / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                [sys.executable, str(TUNE), *words],
                stdout=log,
                stderr=log,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )

    def wait_for(text, name):
        end = time.monotonic() + 120
        while not re.search(text, (tmp_path / f"{name}.log").read_text()):
            assert time.monotonic() < end, (tmp_path / f"{name}.log").read_text()[-3000:]
            time.sleep(0.1)

    chief = start("chief")
    started = [chief]
    try:
        end = time.monotonic() + 120
        while not (out / "search.json").exists():
            assert time.monotonic() < end, (tmp_path / "chief.log").read_text()[-3000:]
            time.sleep(0.1)
        started.append(start("one"))
        wait_for(r"trial \d of 3: optimizer", "one")
        started[1].kill()
        started += [start("two"), start("three")]
        assert [process.wait(300) for process in (started[2], started[3], chief)] == [0, 0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    table = pd.read_csv(out / "trials.csv")
    assert table["state"].tolist() == ["finished"] * 3
    assert "The worker 'one' has been silent" in (tmp_path / "chief.log").read_text()
    did = [re.findall(r"trial (\d) of 3: ", (tmp_path / f"{name}.log").read_text()) for name in ("two", "three")]
    assert sorted(did[0] + did[1]) == ["1", "2", "3"]
    assert json.loads((out / "trials" / "0001" / "validation.json").read_text())["val_mAP"] > 0
