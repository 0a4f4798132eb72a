"""Several servers behind one client: turns, and what happens when one of them dies."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.serving import Client, ServerError
from reid_tf.serving import balanced as room

ANSWER = (200, json.dumps({"outputs": {"embedding": [[1.0, 2.0]], "error": [""]}}))
BUSY = (503, "busy")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(room, "_PAUSE_S", 0.01)


def test_requests_take_turns(scripted):
    servers = [scripted(ANSWER) for _ in range(3)]
    client = Client([url for url, _ in servers], batch_size=1)
    assert client.embed([b"image"] * 7).shape == (7, 2)
    assert [len(asked) for _, asked in servers] == [3, 2, 2]


def test_what_a_server_cannot_answer_goes_to_the_next_and_the_server_rests(scripted):
    busy, well = scripted(BUSY), scripted(ANSWER)
    client = Client([busy[0], NOBODY, well[0]], batch_size=1)
    assert client.embed([b"image"] * 6).shape == (6, 2)
    assert (len(busy[1]), len(well[1])) == (1, 6)


def test_a_server_that_has_rested_is_asked_again(scripted, monkeypatch):
    monkeypatch.setattr(room, "REST_S", 0.0)
    recovering, well = scripted(BUSY, ANSWER), scripted(ANSWER)
    Client([recovering[0], well[0]], batch_size=1).embed([b"image"] * 4)
    assert len(recovering[1]) > 1


def test_all_are_asked_again_before_the_client_gives_up(scripted):
    servers = [scripted(BUSY), scripted(BUSY, BUSY, ANSWER)]
    assert Client([url for url, _ in servers], retries=2).embed([b"image"]).shape == (1, 2)
    with pytest.raises(ServerError, match=r"None of 2 servers answers: .*status 503.*No server can be reached"):
        Client([servers[0][0], NOBODY], retries=1).embed([b"image"])


def test_a_request_that_is_wrong_is_not_sent_to_another(scripted):
    wrong, other = scripted((400, json.dumps({"error": "no such signature"}))), scripted(ANSWER)
    with pytest.raises(ServerError, match="no such signature"):
        Client([wrong[0], other[0]]).embed([b"image"])
    assert not other[1]


@pytest.mark.parametrize("urls", [[], [NOBODY, NOBODY]])
def test_servers_that_cannot_be_told_apart(urls):
    with pytest.raises(InputError, match=r"at least one, each with a URL of its own. Received: \["):
        Client(urls)


@pytest.mark.slow
def test_one_of_three_servers_dies_and_no_image_is_lost(export, image_files, make_encoder):
    started, urls = [], []
    program = Path(__file__).with_name("conformance_server.py")
    for _ in range(3):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, str(program), "--model-base-path", str(export), "--model-name", "reid"]
        started.append(subprocess.Popen([*command, "--port", str(port)]))
        urls.append(f"http://127.0.0.1:{port}")
    try:
        for url in urls:
            Client(url).wait_until_ready(120)
        client = Client(urls, batch_size=1)
        expected = make_encoder()(image_files)
        for number in range(30):
            if number == 10:
                started[1].kill()
                started[1].wait()
            vectors = client.embed(image_files)
            np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    finally:
        for process in started:
            process.kill()
            process.wait()
