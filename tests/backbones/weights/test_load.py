"""Weights by name and by path, and every way in which a file can be the wrong one."""

import re
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest

from reid_tf.backbones.resnet import resnet18, resnet50
from reid_tf.backbones.tiny import tiny
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
        ("res2net26", 32, {"width": 8}),
        ("resnet26", 32, {"width": 8}),
        ("tiny", 32, {}),
    ],
)
def test_no_published_weights_is_said(name, side, options):
    component = {"name": name, "weights": "imagenet", **options}
    message = (
        f"No ImageNet weights are known for the backbone '{name}'. .*weights='imagenet', allowed: null, or the path"
    )
    with pytest.raises(InputError, match=message):
        BACKBONES.build(component, image_size=(side, side))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "alexnet",
            {"width_multiplier": 0.05},
            r"alexnet\).*set width_multiplier: 1\.0\. Rec.*_multiplier=0\.05\.$",
        ),
        ("res2net50", {"scale": 8}, r"res2net50_26w_4s\).*set scale: 4\. Received: scale=8\.$"),
        ("res2net101", {"group_width": 14}, r"res2net101_26w_4s\).*set group_width: 26\. Received: group_width=14\.$"),
        ("resnet18", {"stem": "light"}, r"torchvision's resnet18\).*set stem: imagenet\. Received: stem='light'\.$"),
        ("resnet18", {"width": 32}, r"torchvision's resnet18\).*set width: 64\. Received: width=32\.$"),
        ("resnet50", {"width": 16}, r"ResNet-50, as.*set width: 64\. Received: width=16\.$"),
        ("resnet101", {"stride_on": "3x3"}, r"ResNet-101, as.*set stride_on: 1x1\. Received: stride_on='3x3'\.$"),
        (
            "vgg16",
            {"width_multiplier": 0.05},
            r"VGG-16, as.*set width_multiplier: 1\.0\. Rec.*_multiplier=0\.05\.$",
        ),
    ],
)
def test_options_that_the_published_weights_do_not_suit(name, options, message):
    with pytest.raises(InputError, match=f"^weights: imagenet .*needs another form of the backbone '{name}'") as error:
        BACKBONES.build({"name": name, "weights": "imagenet", **options}, image_size=(32, 32))
    assert re.search(message, str(error.value))


def test_offline_a_sentence_says_which_file_goes_where(cache):
    message = (
        r"https://storage\S*/resnet50_\w+_notop\.h5 failed \(.*no network.*\): fetch that file elsewhere and put it "
        r"into the folder '.*keras/models' as 'resnet50_\w+_notop\.h5', or train from scratch with weights: null\.$"
    )
    with pytest.raises(InputError, match=message):
        resnet50(IMAGE_SIZE, weights="imagenet")
    assert not list(cache.glob("*"))
