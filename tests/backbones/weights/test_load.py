"""Weights by name and by path, and every way in which a file can be the wrong one."""

import hashlib
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest

from reid_tf.backbones.resnet import resnet18, resnet50
from reid_tf.backbones.tiny import tiny
from reid_tf.backbones.vgg import vgg16
from reid_tf.backbones.weights import download as download_module
from reid_tf.backbones.weights.download import download
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

IMAGE_SIZE = (32, 32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no network."""

    def refuse(url, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "keras" / "models"


@pytest.fixture
def saved(tmp_path) -> str:
    keras.utils.set_random_seed(0)
    path = str(tmp_path / "tiny.weights.h5")
    tiny(IMAGE_SIZE, width=8).save_weights(path)
    return path


def test_own_file_gives_the_same_weights(saved):
    keras.utils.set_random_seed(0)
    expected = tiny(IMAGE_SIZE, width=8)
    loaded = tiny((64, 32), width=8, weights=saved)  # another image size is no other architecture
    for ours, theirs in zip(loaded.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    fresh = tiny(IMAGE_SIZE, width=8)
    assert any(not np.array_equal(ours, theirs) for ours, theirs in zip(fresh.weights, expected.weights, strict=True))


def test_missing_file_is_named(tmp_path):
    missing = str(tmp_path / "none.weights.h5")
    with pytest.raises(InputError, match=r"no weights file '.*none\.weights\.h5' for the backbone 'tiny'.*Allowed"):
        tiny(IMAGE_SIZE, weights=missing)


def test_file_of_another_width_is_named_with_shapes(saved):
    with pytest.raises(InputError, match=r"tiny\.weights\.h5.*does not fit the backbone 'tiny'.*example \(\d.*\) in"):
        tiny(IMAGE_SIZE, width=16, weights=saved)


def test_file_of_another_depth_is_named_with_counts(saved):
    with pytest.raises(InputError, match=r"backbone 'resnet18'.*holds 50 arrays, the backbone has 100"):
        resnet18(IMAGE_SIZE, width=8, stem="light", weights=saved)


def test_damaged_file_is_named(saved):
    with open(saved, "r+b") as file:
        file.truncate(3000)
    with pytest.raises(InputError, match=r"tiny\.weights\.h5' is damaged or not an HDF5 file \(.*truncated"):
        tiny(IMAGE_SIZE, width=8, weights=saved)


@pytest.mark.parametrize("name", ["page.weights.h5", "page.h5"])
def test_web_page_for_a_file_is_named(tmp_path, name):
    (tmp_path / name).write_text("<html>Not found</html>")
    backbone = resnet50 if name == "page.h5" else tiny
    with pytest.raises(InputError, match=rf"{name}' is damaged or not an HDF5 file"):
        backbone(IMAGE_SIZE, weights=str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.keras", "a.ckpt", "a.h5"])
def test_other_formats_are_named(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=rf"'tiny' cannot read the weights file '.*{name}'.*\.weights\.h5"):
        tiny(IMAGE_SIZE, weights=str(tmp_path / name))


def test_keras_file_of_another_network_is_named(tmp_path):
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save(tmp_path / "other.h5")
    with pytest.raises(InputError, match=r"other\.h5' does not fit the backbone 'resnet50': Layer count mismatch"):
        resnet50(IMAGE_SIZE, weights=str(tmp_path / "other.h5"))


@pytest.mark.parametrize(
    ("name", "side", "options"),
    [
        ("caffenet", 227, {"width_multiplier": 0.05}),
        ("osnet_x0_25", 32, {}),
        ("resnet18", 32, {"width": 8}),
        ("tiny", 32, {}),
    ],
)
def test_no_published_weights_is_said(name, side, options):
    component = {"name": name, "weights": "imagenet", **options}
    with pytest.raises(InputError, match=f"no ImageNet weights for the backbone '{name}'.*weights='imagenet'.*null"):
        BACKBONES.build(component, image_size=(side, side))


def test_narrow_vgg_has_no_published_weights():
    with pytest.raises(InputError, match="no ImageNet weights for the backbone 'vgg16' as configured"):
        vgg16((224, 224), width_multiplier=0.05, weights="imagenet")


def test_failed_download_is_a_sentence(cache):
    with pytest.raises(InputError, match=r"resnet50_.*_notop\.h5 failed \(.*no network.*\).*weights: null.*path"):
        resnet50(IMAGE_SIZE, weights="imagenet")
    assert not list(cache.glob("*"))


class Response:
    """What `urlopen` returns, with content of our own."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.headers = {"Content-Length": str(len(content))}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def read(self, size: int) -> bytes:
        block, self.content = self.content[:size], self.content[size:]
        return block


def test_download_is_kept_and_not_repeated(cache, monkeypatch):
    content = bytes(range(256)) * 10
    md5 = hashlib.md5(content).hexdigest()
    requests = []

    def serve(url, timeout):
        requests.append(url)
        return Response(content)

    monkeypatch.setattr(urllib.request, "urlopen", serve)
    monkeypatch.setattr(download_module, "BLOCK", 100)
    for _ in range(2):
        path = download("https://example.org/weights/a.h5", md5)
        assert path == cache / "a.h5"
        assert path.read_bytes() == content
    assert len(requests) == 1
    path.write_bytes(b"cut off")
    assert download("https://example.org/weights/a.h5", md5).read_bytes() == content
    assert len(requests) == 2


def test_other_bytes_than_the_published_ones_are_refused(cache, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Response(b"<html>"))
    with pytest.raises(InputError, match=r"a\.h5 is damaged: its MD5 is [0-9a-f]{32}, the published one is 0123"):
        download("https://example.org/a.h5", "0123")
    assert not list(cache.glob("*"))
