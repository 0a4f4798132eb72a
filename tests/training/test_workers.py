"""Workers: who they are, how they meet, and what they say when one is missing or different."""

import json
import socket
import threading

import pytest
import tensorflow as tf

from reid_tf.commands.command_line import find_config
from reid_tf.config import load_config
from reid_tf.errors import InputError
from reid_tf.training import workers as room
from reid_tf.training.fitting import Fitting
from reid_tf.training.workers import WorkerLostError, Workers, naming_lost_workers, part, workers_of_environment


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in sockets)
    for server in sockets:
        server.close()
    return addresses


@pytest.mark.parametrize(
    ("cluster", "task", "index"),
    [
        ({"worker": ["a:1", "b:2"]}, {"type": "worker", "index": 1}, 1),
        ({"chief": ["a:1"], "worker": ["b:2"]}, {"type": "worker", "index": 0}, 1),
        ({"chief": ["a:1"], "worker": ["b:2"]}, {"type": "chief", "index": 0}, 0),
    ],
)
def test_tf_config_names_the_workers(cluster, task, index, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert workers_of_environment() == Workers(("a:1", "b:2"), index)


@pytest.mark.parametrize("text", ["", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'])
def test_nobody_and_one_alone_are_no_workers(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert workers_of_environment() is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"cluster": {}}',
        '{"cluster": {"ps": ["a:1"], "worker": ["b:2"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "evaluator", "index": 0}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:2"]}, "task": {"type": "chief", "index": 1}}',
    ],
)
def test_another_tf_config_is_refused_in_one_sentence(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG .* Received: "):
        workers_of_environment()


@pytest.mark.parametrize(("answers", "said"), [(False, "the chief .* went away"), (True, "a step failed here or on")])
def test_an_error_of_tensorflows_is_in_the_log(answers, said, monkeypatch, caplog):
    monkeypatch.setattr(room, "_answers", lambda address: answers)
    with (
        pytest.raises(WorkerLostError, match=f"stopped because {said}"),
        naming_lost_workers(Workers(("a:1", "b:2"), 1)),
    ):
        raise tf.errors.InternalError(None, None, "the card is broken")
    assert "a step failed: the card is broken" in caplog.text


def test_who_goes_at_the_end_spoils_no_finished_run(monkeypatch):
    def lost(*given):
        raise tf.errors.UnavailableError(None, None, "gone")

    monkeypatch.setattr(room, "exchange", lost)
    part(Workers(("a:1", "b:2"), 0), None)
    with pytest.raises(tf.errors.UnavailableError):
        part(Workers(("a:1", "b:2"), 1), None)


@pytest.mark.parametrize(
    ("addresses", "index", "said"),
    [
        (("a", "b:2"), 0, "host:port.*Received: 'a'"),
        (("a:0", "b:2"), 0, "host:port.*Received: 'a:0'"),
        (("a:1", "a:1"), 0, "at an address of its own. Received: a:1, a:1"),
        (("a:1",), 0, "at least two.*Received: a:1"),
        (("a:1", "b:2"), 2, "0 to 1, for 2 addresses. Received: 2"),
    ],
)
def test_workers_that_cannot_be(addresses, index, said):
    with pytest.raises(InputError, match=said):
        Workers(addresses, index)


def test_a_port_in_use_is_a_sentence():
    with socket.create_server(("", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=r"port of the chief \(127.0.0.1:.*cannot be opened here .*Received: \d+"):
            room.join(Workers((taken, "127.0.0.1:9"), 0))


def test_a_chief_that_never_comes_is_a_sentence():
    chief, worker = free_addresses(2)
    with pytest.raises(InputError, match=rf"The chief \({chief}\) did not come within 0.5 seconds"):
        room.join(Workers((chief, worker), 1, patience=0.5))


def test_workers_that_start_apart_meet():
    addresses = free_addresses(3)
    late = [threading.Timer(delay, room._meet, [Workers(addresses, index)]) for index, delay in ((1, 0.1), (2, 0.7))]
    for timer in late:
        timer.start()
    room._meet(Workers(addresses, 0, patience=30))
    for timer in late:
        timer.join()
    assert not room._answers(addresses[0])  # TensorFlow can have the port


def test_the_sentence_of_a_difference_names_worker_and_key(monkeypatch):
    said = [json.dumps({"epochs": epochs, "seed": 1}).encode() for epochs in (3, 3, 4)]
    monkeypatch.setattr(room, "exchange", lambda *_: said)
    with pytest.raises(InputError, match=r"Worker 2 \(c:3\) differs from the chief \(a:1\) in epochs: 4 instead of 3"):
        room.agree(Workers(("a:1", "b:2", "c:3"), 1), None, {"epochs": 3, "seed": 1})


def test_xla_is_refused_before_anybody_is_waited_for(tmp_path):
    config = load_config(find_config("multitask_synthetic"), ["xla=true"])
    with pytest.raises(InputError, match="do not train with XLA. Received: xla=true, 2 workers"):
        Fitting(config, tmp_path / "run", False, Workers(("a:1", "b:2"), 0))
