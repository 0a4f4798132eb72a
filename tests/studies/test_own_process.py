"""What becomes known of a training in another process; a real one is in tests/commands/test_sweep.py."""

import multiprocessing
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from reid_tf.config import load_config
from reid_tf.errors import InputError
from reid_tf.studies import own_process

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def write_arguments(config, run_directory, resume):
    Path(run_directory).write_text(f"{config.epochs} {resume} {os.getppid()}")


def refuse(config, run_directory, resume):
    raise InputError(f"The loss became nan. Received: {config.epochs}.")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that calls `train_in_own_process()` with a training."""
    fork = multiprocessing.get_context("fork")  # a new interpreter would not know that function
    monkeypatch.setattr(own_process.multiprocessing, "get_context", lambda _: fork)
    config = load_config(CONFIGS / "multitask_synthetic.yaml", ["epochs=10"])

    def run_with(train):
        return own_process.train_in_own_process(config, tmp_path / "a", True, train)

    return run_with


def test_arguments_and_errors_pass_from_one_process_to_the_other(run, tmp_path):
    assert run(write_arguments) == ""
    assert (tmp_path / "a").read_text() == f"10 True {os.getpid()}"
    assert run(refuse) == "The loss became nan. Received: 10."


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (lambda *_: os.kill(os.getpid(), signal.SIGKILL), "ended by signal 9; 9 is .* when memory runs out"),
        (lambda *_: 1 / 0, "ended with exit code 1, after the traceback"),
    ],
)
def test_a_process_that_dies_is_a_sentence(run, train, sentence):
    assert re.search(sentence, run(train))


def say_what_is_blocked(config, run_directory, resume):
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    raise InputError(f"{sorted(blocked)}")


def sleep(config, run_directory, resume):
    Path(run_directory).write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.slow
def test_ctrl_c_ends_the_other_process_too_and_only_this_one_hears_it(run, tmp_path):
    assert run(say_what_is_blocked) == f"{[signal.SIGINT]}"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def interrupt():
        while not ((tmp_path / "a").exists() and (tmp_path / "a").read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(sleep)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "a").read_text()), 0)
