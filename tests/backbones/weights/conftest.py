"""A cache of the test's own, and a server in place of the network."""

import functools
import http.server
import threading
from pathlib import Path
from typing import NamedTuple

import pytest


class Server(NamedTuple):
    folder: Path
    address: str
    requests: list[str]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


@pytest.fixture
def server(tmp_path):
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            requests.append(self.path)

    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Server(folder, f"http://127.0.0.1:{running.server_port}", requests)
        running.shutdown()
