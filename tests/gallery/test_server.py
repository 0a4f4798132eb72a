"""The same gallery on a Milvus server: the binary that the package `milvus` brings, where it is installed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
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


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "import milvus; milvus.main()",
        "--data",
        tmp_path_factory.mktemp("milvus"),
        "--proxy-port",
        str(port),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    found, until = f"http://127.0.0.1:{port}", time.monotonic() + 180
    while time.monotonic() < until:  # it listens before it answers
        with contextlib.suppress(InputError):
            Store(found, timeout=5).close()
            break
        time.sleep(1)
    yield found
    os.killpg(server.pid, signal.SIGKILL)  # the binary is a child of it, and slow to stop otherwise
    server.wait(30)


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


def test_rows_move_between_the_forms(server_gallery, gallery, crops, tmp_path):
    gallery.add(crops)
    export_gallery(gallery, tmp_path / "kept.parquet")
    assert import_gallery(server_gallery, tmp_path / "kept.parquet") == 5
    assert {entry.id for entry in server_gallery.entries()} == {entry.id for entry in gallery.entries()}


def test_a_server_that_is_not_there_is_a_sentence(encoder):
    with pytest.raises(InputError, match="The gallery 'http://127.0.0.1:1' does not answer as it should"):
        Gallery("http://127.0.0.1:1", encoder, timeout=2)
