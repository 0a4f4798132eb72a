"""Published files, fetched from a server of the test's own."""

import hashlib
import http.server

import pytest

from reid_tf.backbones.weights import download as download_module
from reid_tf.backbones.weights.download import download
from reid_tf.errors import InputError

CONTENT = bytes(range(256)) * 10
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture(autouse=True)
def published(cache, server, monkeypatch):
    (server.folder / "a.pth").write_bytes(CONTENT)
    monkeypatch.setattr(download_module, "BLOCK", 100)


@pytest.mark.parametrize("checksum", [MD5, SHA256, SHA256[:15]])
def test_a_download_is_kept_and_not_repeated(cache, server, checksum):
    for _ in range(2):
        path = download(f"{server.address}/a.pth", checksum)
        assert path == cache / "a.pth"
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    path.write_bytes(b"cut off")
    assert download(f"{server.address}/a.pth", checksum).read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("checksum", "message"),
    [
        (MD5, rf"its MD5 is [0-9a-f]{{32}}, the published one is {MD5[4:]}; try again"),
        (SHA256, rf"its SHA-256 is [0-9a-f]{{64}}, the published one is {SHA256[7:]}; try again"),
        (SHA256[:15], rf"its SHA-256 is [0-9a-f]{{64}}, the published one begins with {SHA256[7:15]}; try again"),
    ],
)
@pytest.mark.parametrize("received", [CONTENT[:-1], b"<html>Not found</html>", b""])
def test_other_bytes_than_the_published_ones_are_refused(cache, server, checksum, message, received):
    (server.folder / "a.pth").write_bytes(received)
    with pytest.raises(InputError, match=rf"^The download of \S+/a\.pth is damaged: {message}\.$"):
        download(f"{server.address}/a.pth", checksum)
    assert not cache.exists()


def test_a_download_that_breaks_off(cache, server, monkeypatch):
    """The server promises more than it sends."""
    send = http.server.SimpleHTTPRequestHandler.send_header

    def promise(self, name, value):
        send(self, name, str(int(value) + 1000) if name == "Content-Length" else value)

    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "send_header", promise)
    (server.folder / "a.pth").write_bytes(CONTENT[:-300])
    with pytest.raises(InputError, match=r"a\.pth (is damaged: its SHA-256 is|failed \().*"):
        download(f"{server.address}/a.pth", SHA256)
    assert not cache.exists()


def test_a_refusal_says_which_file_goes_where(cache, server):
    message = (
        r"^The download of http\S*/none\.pth failed \(HTTP Error 404: File not found\): fetch that file elsewhere and "
        r"put it into the folder '.*keras/models' as 'none\.pth', or train from scratch with weights: null\.$"
    )
    with pytest.raises(InputError, match=message):
        download(f"{server.address}/none.pth", SHA256)
    assert not cache.exists()


def test_a_wrong_file_put_there_by_hand_is_said(cache, server):
    cache.mkdir(parents=True)
    (cache / "none.pth").write_bytes(CONTENT[:-1])
    message = (
        r"as 'none\.pth'; the file that lies there is another: its SHA-256 is [0-9a-f]{64}, the published one is "
        rf"{SHA256[7:]}, or train"
    )
    with pytest.raises(InputError, match=message):
        download(f"{server.address}/none.pth", SHA256)
    assert (cache / "none.pth").read_bytes() == CONTENT[:-1]


def test_a_full_disk_is_a_sentence(cache, server):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"a\.pth' cannot be written: '.*models' above it is a file"):
        download(f"{server.address}/a.pth", SHA256)
