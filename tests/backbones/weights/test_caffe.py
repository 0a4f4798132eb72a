"""Caffe's files read without Caffe: both forms of layers and arrays, parity with the networks, what is no such file."""

import struct

import numpy as np
import pytest

from reid_tf.backbones.weights.caffe import read_caffemodel
from reid_tf.backbones.weights.caffe_tables import CAFFE_TABLES
from reid_tf.backbones.weights.conversion import compare, convert_weights, fill, summary, weight_table
from reid_tf.backbones.weights.state_dict import StateDict, read_state_dict
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES
from tests.backbones.made_caffemodel import CAFFENET_LAYERS, caffemodel, write_caffemodel

GENERATOR = np.random.default_rng(0)
TENSORS = {
    "conv1.weight": GENERATOR.normal(0, 1, (4, 3, 5, 2)).astype(np.float32),
    "conv1.bias": GENERATOR.normal(0, 1, 4).astype(np.float32),
    "fc6.weight": GENERATOR.normal(0, 1, (6, 8)).astype(np.float32),
    "fc6.bias": GENERATOR.normal(0, 1, 6).astype(np.float32),
}


@pytest.mark.parametrize("form", ["layers", "layer"])
@pytest.mark.parametrize("double", [False, True])
def test_arrays_come_back_as_they_were(tmp_path, form, double):
    path = write_caffemodel(
        tmp_path / "a.caffemodel", TENSORS, layers=["data", "conv1", "pool1", "fc6"], form=form, double=double
    )
    state = read_state_dict(path)
    assert state.layers == ("data", "conv1", "pool1", "fc6")
    assert state.unwrapped == ("the network calls itself 'made'",)
    assert list(state.tensors) == list(TENSORS)
    for name, tensor in state.tensors.items():
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, TENSORS[name])


def field(number: int, wire: int, content: bytes) -> bytes:
    """A field of a protobuf, by the format's own rules."""
    key = number << 3 | wire
    tag = bytes([key]) if key < 128 else bytes([key & 127 | 128, key >> 7])
    return tag + (bytes([len(content)]) if wire == 2 else b"") + content


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_made_byte_by_byte(tmp_path, packed):
    """The numbers of the fields are those of caffe.proto, whatever the descriptors here say."""
    values = [1.5, -2.0, 0.25, 8.0]
    raw = [struct.pack("<f", value) for value in values]
    data = field(5, 2, b"".join(raw)) if packed else b"".join(field(5, 5, one) for one in raw)
    legacy = b"".join(field(number, 0, bytes([size])) for number, size in enumerate((2, 1, 1, 2), start=1))
    shaped = field(7, 2, field(1, 2, bytes([2, 2])) if packed else field(1, 0, b"\x02") * 2)
    old = field(2, 2, field(2, 2, b"data") + field(4, 2, b"old") + field(5, 0, b"\x04") + field(6, 2, legacy + data))
    new = field(100, 2, field(1, 2, b"new") + field(2, 2, b"InnerProduct") + field(7, 2, data + shaped))
    (tmp_path / "a.caffemodel").write_bytes(field(1, 2, b"net") + old + new)
    tensors = read_caffemodel(tmp_path / "a.caffemodel").tensors
    np.testing.assert_array_equal(tensors["old.weight"], np.reshape(values, (2, 1, 1, 2)))
    np.testing.assert_array_equal(tensors["new.weight"], np.reshape(values, (2, 2)))


def test_a_layer_of_many_arrays_numbers_the_later_ones(tmp_path):
    blob = field(7, 2, field(7, 2, field(1, 0, b"\x01")) + field(5, 5, struct.pack("<f", 3)))
    (tmp_path / "a.caffemodel").write_bytes(field(100, 2, field(1, 2, b"norm") + 3 * blob))
    assert list(read_caffemodel(tmp_path / "a.caffemodel").tensors) == ["norm.weight", "norm.bias", "norm.2"]


@pytest.mark.parametrize(
    ("component", "name", "mean", "form"),
    [
        ("caffenet", "CaffeNet", (104.007, 116.669, 122.679), "layers"),
        ("vgg16", "VGG16", (103.939, 116.779, 123.68), "layer"),
    ],
)
def test_features_are_those_of_the_network(tmp_path, component, name, mean, form):
    torch = pytest.importorskip("torch", reason="PyTorch is absent: pip install -e '.[torch]'")
    from tests.backbones import torch_networks

    channels = {"CaffeNet": (12, 32, 48, 48, 32), "VGG16": (8, 16, 32, 64, 64)}[name]
    network = torch_networks.randomise(getattr(torch_networks, name)(channels, 512, 10))
    tensors = {tensor: value.numpy() for tensor, value in network.state_dict().items()}
    if name == "VGG16":  # torchvision's computation under the names of the authors' file
        convolutions = [f"conv{b}_{i}" for b, n in enumerate((2, 2, 3, 3, 3), start=1) for i in range(1, n + 1)]
        layers = [*convolutions, "fc6", "fc7", "fc8"]
        pairs = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
        tensors = dict(zip(pairs, tensors.values(), strict=True))
    path = write_caffemodel(tmp_path / "a.caffemodel", tensors, form=form)

    state = read_state_dict(path)
    table = weight_table(component, state.tensors)
    assert table is CAFFE_TABLES[component]
    size = 227 if component == "caffenet" else 224
    model = BACKBONES.build({"name": component, "width_multiplier": 1 / 8}, image_size=(size, size))
    comparison = fill(model, table, state)
    assert (comparison.unused, comparison.missing) == ((), ())
    assert comparison.left_out == ("fc8.weight", "fc8.bias")
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    bgr = images[..., ::-1] - np.array(mean)
    with torch.no_grad():
        expected = network.feature_map(torch.tensor(bgr, dtype=torch.float32).permute(0, 3, 1, 2))
    expected = expected.permute(0, 2, 3, 1).numpy()
    features = np.asarray(model(images))
    assert features.shape == expected.shape
    assert np.linalg.norm(expected[0] - expected[1]) > 0.01 * np.linalg.norm(expected)
    assert np.abs(features - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(("component", "parameters"), [("caffenet", 60_965_224), ("vgg16", 138_357_544)])
def test_a_table_names_every_variable_and_tensor_of_the_published_network(component, parameters):
    torch = pytest.importorskip("torch", reason="PyTorch is absent: pip install -e '.[torch]'")
    from tests.backbones import torch_networks

    with torch.device("meta"):
        network = {"caffenet": torch_networks.CaffeNet, "vgg16": torch_networks.VGG16}[component]()
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    table = CAFFE_TABLES[component]
    model = BACKBONES.build({"name": component, "width_multiplier": 0.05}, image_size=(227, 227))
    variables = [row.variable for row in table.rows]
    assert len(set(variables)) == len(variables)
    assert set(variables) == {variable.path for variable in model.weights}
    if component == "caffenet":
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        assert {name for name in shapes if not table.has_no_place_for(name)} == set(table.tensors)
        assert shapes[table.mark[0]] == table.mark[1]


def names_of(component: str) -> dict[str, np.ndarray]:
    table = CAFFE_TABLES[component]
    return dict.fromkeys(table.tensors, np.zeros(1, np.float32)) | {table.mark[0]: np.zeros(table.mark[1], np.float32)}


def test_another_network_is_named(tmp_path):
    path = write_caffemodel(tmp_path / "vgg.caffemodel", names_of("vgg16"))
    message = (
        r"vgg\.caffemodel' does not hold the weights of Caffe's bvlc_reference_caffenet: it lacks 10 of the 14 "
        r"tensors, the first being 'conv1\.weight'; it fits the backbone 'vgg16'\."
    )
    with pytest.raises(InputError, match=message):
        convert_weights("caffenet", read_state_dict(path), tmp_path / "a.weights.h5")
    assert not (tmp_path / "a.weights.h5").exists()


def test_a_missing_half_of_two_towers_counts_once():
    tensors = {name: tensor for name, tensor in names_of("caffenet").items() if name != "conv2.weight"}
    comparison = compare(CAFFE_TABLES["caffenet"], tensors)
    assert comparison.missing == ("conv2.weight",)
    lines = summary(CAFFE_TABLES["caffenet"], StateDict("a.caffemodel", tensors), comparison)
    assert lines[1].startswith("13 tensors used, 0 unused, 1 missing, 0 left out on purpose (fc8*)")


def test_an_alexnet_that_normalises_first_is_not_taken_for_caffenet(tmp_path):
    order = list(CAFFENET_LAYERS)
    order[3:5], order[7:9] = ["norm1", "pool1"], ["norm2", "pool2"]
    path = write_caffemodel(tmp_path / "a.caffemodel", names_of("caffenet"), layers=order)
    with pytest.raises(InputError, match=r"layers come as norm1, pool1, norm2, pool2 instead of pool1, norm1, pool2, "):
        convert_weights("caffenet", read_state_dict(path), tmp_path / "a.weights.h5")
    path = write_caffemodel(tmp_path / "b.caffemodel", names_of("caffenet"), layers=CAFFENET_LAYERS)
    with pytest.raises(InputError, match=r"'conv1\.bias' of '.*b\.caffemodel' must be float of shape \(96,\)"):
        convert_weights("caffenet", read_state_dict(path), tmp_path / "b.weights.h5")  # the order is right


def test_a_file_that_is_cut_off_is_named(tmp_path):
    content = caffemodel(TENSORS)
    for kept in (len(content) - 1, len(content) // 2, 20):
        (tmp_path / "a.caffemodel").write_bytes(content[:kept])
        with pytest.raises(InputError, match=r"a\.caffemodel' is damaged, cut off or not a \.caffemodel file \("):
            read_caffemodel(tmp_path / "a.caffemodel")


@pytest.mark.parametrize("suffix", ["prototxt", "caffemodel"])
def test_the_description_taken_for_the_weights_is_named(tmp_path, suffix):
    path = tmp_path / f"deploy.{suffix}"
    path.write_text('name: "CaffeNet"\nlayer {\n  name: "data"\n  type: "Input"\n}\n')
    with pytest.raises(InputError, match=rf"deploy\.{suffix}' is text, as the description of a network \(\.prototxt\)"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.caffemodel' holds no weights of Caffe's: it has 0 layers"),
        (caffemodel({}, layers=["data", "pool1"]), r"holds no weights of Caffe's: it has 2 layers"),
        (
            field(100, 2, field(1, 2, b"fc") + field(7, 2, field(7, 2, field(1, 0, b"\x03")))),
            r"The layer 'fc' of '.*a\.caffemodel' is damaged: its shape \(3,\) asks for other than 0 numbers",
        ),
    ],
    ids=["empty", "no weights", "other shape"],
)
def test_what_holds_no_weights_is_named(tmp_path, content, message):
    (tmp_path / "a.caffemodel").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_caffemodel(tmp_path / "a.caffemodel")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no weights file '.*none\.caffemodel'"):
        read_caffemodel(tmp_path / "none.caffemodel")
