"""The same gallery on a Milvus server: the binary that the package `milvus` brings, where it is installed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.gallery import Added, Gallery, Sighting
from reid_tf.gallery.exchange import export_gallery, import_gallery
from reid_tf.gallery.store import Store
from tests.gallery.conftest import image, names

milvus = pytest.importorskip("milvus", reason="the package milvus, a server, is not installed")
pytestmark = pytest.mark.slow


class Server:
    """The binary, on a folder and a port that stay when it is started again."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.address = folder, f"http://127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, "-c", "import milvus; milvus.main()", "--data", self.folder]
        command += ["--proxy-port", str(self.port)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self):
        until = time.monotonic() + 180
        while time.monotonic() < until:  # it listens before it answers
            with contextlib.suppress(InputError):
                Store(self.address, timeout=5).close()
                break
            time.sleep(1)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)  # killed at once it takes minutes to come back
        time.sleep(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # it would wait for its clients to leave
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("milvus"))
    server.start()
    server.wait()
    yield server
    server.stop()


@pytest.fixture
def address(server):
    return server.address


@pytest.fixture
def server_gallery(address, encoder):
    with Gallery(address, encoder, timeout=60) as gallery:
        yield gallery
        gallery.delete(everything=True)


def test_the_same_answers_as_in_a_folder(server_gallery, gallery, crops):
    for one in (server_gallery, gallery):
        assert one.add(crops, camera="door", time="2026-05-01T12:00:00Z") == Added(added=5)
        assert one.add(crops, camera="door", time="2026-05-01T12:00:00Z") == Added(known=5)
        one.add([Sighting(image(0, 0, 250), camera='"yard"', person="é")])
    for search in (
        {"image": image(200, 20, 20)},
        {"image": image(200, 20, 20), "not_camera": "door"},
        {"image": image(0, 0, 200), "camera": ['"yard"'], "person": "é"},
        {"image": image(0, 0, 200), "since": "2026-05-01T12:00:00Z", "until": "2026-05-02T00:00:00+02:00"},
        {"person": "é", "k": 2},
        {"attributes": "colour=red"},
        {"vector": np.float32([1, 2, 3]), "rerank": True},
    ):
        here, there = (one.search(**search) for one in (gallery, server_gallery))
        assert names(here) == names(there)
        for one, other in zip(here, there, strict=True):
            assert (one.distance, one.probability) == pytest.approx((other.distance, other.probability), abs=1e-5)
    here, there = gallery.stats(), server_gallery.stats()
    assert here == there
    assert server_gallery.delete(camera='"yard"') == 1
    assert len(server_gallery) == 5


def test_an_indexed_server_finds_what_is_nearest(server_gallery, gallery):
    assert gallery.index()  # a folder needs none
    vectors = np.random.default_rng(0).standard_normal((3000, 3)).astype(np.float32)
    server_gallery.add([Sighting(vector=vector, path=str(row)) for row, vector in enumerate(vectors)], batch_size=1000)
    assert not server_gallery.index()  # it takes a server some seconds
    assert server_gallery.index(wait=120)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for query in units[:20]:
        found = {int(result.entry.path) for result in server_gallery.search(vector=query)}
        assert len(found & set(np.argsort(-(units @ query))[:10].tolist())) >= 9


def test_rows_move_between_the_forms(server_gallery, gallery, crops, tmp_path):
    gallery.add(crops)
    export_gallery(gallery, tmp_path / "kept.parquet")
    assert import_gallery(server_gallery, tmp_path / "kept.parquet") == 5
    assert {entry.id for entry in server_gallery.entries()} == {entry.id for entry in gallery.entries()}


def test_a_server_that_is_not_there_is_a_sentence(encoder):
    with pytest.raises(InputError, match="The gallery 'http://127.0.0.1:1' does not answer as it should"):
        Gallery("http://127.0.0.1:1", encoder, timeout=2)


def test_a_server_that_stops_is_waited_for_and_then_a_sentence(server, encoder, crops):
    with Gallery(server.address, encoder, timeout=120) as gallery:
        gallery.add(crops)
        with Gallery(server.address, encoder, timeout=3) as hasty:
            server.stop()
            with pytest.raises(InputError, match="does not answer as it should"):
                hasty.search(vector=[1, 0, 0], k=1)
        threading.Timer(1, server.start).start()
        assert names(gallery.search(vector=[1, 0, 0], k=1)) == ["wine"]
        gallery.delete(everything=True)
