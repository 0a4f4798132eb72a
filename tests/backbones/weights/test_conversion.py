"""Tables applied to state dicts: axes, what travels with the weights, and models that stay whole after every error."""

import itertools

import h5py
import keras
import numpy as np
import pytest

from reid_tf.backbones.alexnet import alexnet
from reid_tf.backbones.osnet import osnet_x0_25
from reid_tf.backbones.resnet import resnet50
from reid_tf.backbones.tiny import tiny
from reid_tf.backbones.vgg import vgg16
from reid_tf.backbones.weights.conversion import compare, convert_weights, fill
from reid_tf.backbones.weights.load import PublishedWeights, load_weights
from reid_tf.backbones.weights.provenance import Provenance, write_provenance
from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.backbones.weights.table import CONVOLUTION, CONVOLUTION_OF_DENSE, DENSE_OF_1X1, DEPTHWISE, WeightTable
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.errors import InputError
from reid_tf.layers.preprocessing import imagenet_normalization

NARROW = {"width_multiplier": 0.05}
ALEXNET = TABLES["alexnet"]


def made_tensors(model: keras.Model, table: WeightTable) -> dict[str, np.ndarray]:
    """Random tensors as the network of a table has them, and a classifier."""
    generator = np.random.default_rng(0)
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    tensors = {row.tensor: row.layout.torch_shape(shapes[row.variable]) for row in table.rows}
    tensors["classifier.6.weight"] = (10, 4)
    return {name: generator.normal(0, 0.1, shape).astype(np.float32) for name, shape in tensors.items()}


def names_of(name: str) -> StateDict:
    """The names of another network, and the one shape that marks it."""
    tensors = {row.tensor: np.zeros(1, np.float32) for row in TABLES[name].rows}
    mark, shape = TABLES[name].mark
    return StateDict(f"{name}.pth", tensors | {mark: np.zeros(shape, np.float32)})


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return alexnet((224, 224), **NARROW)


def test_layouts_against_loops():
    def indices(*sizes):
        return itertools.product(*map(range, sizes))

    array = np.arange(2 * 3 * 4 * 5, dtype=np.float32)
    theirs = array.reshape(CONVOLUTION.torch_shape((2, 3, 4, 5)))
    ours = CONVOLUTION.convert(theirs, (2, 3, 4, 5))
    assert all(ours[y, x, i, o] == theirs[o, i, y, x] for y, x, i, o in indices(2, 3, 4, 5))
    theirs = array.reshape(DEPTHWISE.torch_shape((2, 3, 20, 1)))
    ours = DEPTHWISE.convert(theirs, (2, 3, 20, 1))
    assert all(ours[y, x, c, 0] == theirs[c, 0, y, x] for y, x, c in indices(2, 3, 20))
    theirs = array.reshape(DENSE_OF_1X1.torch_shape((12, 10)))
    ours = DENSE_OF_1X1.convert(theirs, (12, 10))
    assert all(ours[i, o] == theirs[o, i, 0, 0] for i, o in indices(12, 10))
    theirs = array.reshape(CONVOLUTION_OF_DENSE.torch_shape((2, 3, 4, 5)))
    assert theirs.shape == (5, 24)
    ours = CONVOLUTION_OF_DENSE.convert(theirs, (2, 3, 4, 5))
    assert all(ours[y, x, c, o] == theirs[o, (c * 2 + y) * 3 + x] for y, x, c, o in indices(2, 3, 4, 5))


def test_every_tensor_is_accounted_for(model):
    tensors = made_tensors(model, ALEXNET) | {"head.weight": np.zeros(3, np.float32)}
    missing = tensors.pop("features.3.bias")
    comparison = compare(ALEXNET, tensors)
    assert [row.tensor for row in comparison.used] == [row.tensor for row in ALEXNET.rows if row.tensor in tensors]
    assert (comparison.left_out, comparison.unused) == (("classifier.6.weight",), ("head.weight",))
    assert comparison.missing == ("features.3.bias",)
    fill(model, ALEXNET, StateDict("a.pth", tensors | {"features.3.bias": missing}))
    np.testing.assert_array_equal(model.get_layer("conv2").bias, missing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"features.3.bias": None},
            r"does not hold the weights of torchvision's alexnet: it lacks 1 of the 14 .*being 'features\.3\.bias'",
        ),
        (
            {"features.8.weight": np.zeros((2, 3), np.float32)},
            r"'features\.8\.weight' of 'a\.pth' must be float of shape \(12, 20, 3, 3\). Received: float32 .*\(2, 3\)",
        ),
        ({"features.3.bias": np.zeros(10, np.int64)}, r"'features\.3\.bias'.*must be float.*Received: int64"),
        (
            names_of("vgg16").tensors,
            r"26 of its tensors do not belong to that network, the first being 'features\.2\.weight'; it ",
        ),
    ],
)
def test_after_an_error_the_model_is_as_it_was(model, change, message):
    tensors = {name: value for name, value in (made_tensors(model, ALEXNET) | change).items() if value is not None}
    before = [np.array(weight) for weight in model.weights]
    preprocessing = model.get_layer("preprocessing").get_config()
    with pytest.raises(InputError, match=message):
        fill(model, ALEXNET, StateDict("a.pth", tensors))
    for weight, expected in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert model.get_layer("preprocessing").get_config() == preprocessing


@pytest.mark.parametrize(
    ("wanted", "given", "message"),
    [
        ("resnet50", "resnet101", r"255 of its tensors do not belong to that.*it fits the backbone 'resnet101'"),
        ("resnet101", "resnet50", r"lacks 255 of the 520 tensors.*; it fits the backbone 'resnet50'"),
        ("resnet50", "res2net50", r"lacks 80 of the 265.*being 'layer1\.0\.conv2\.weight'; it fits .*'res2net50'"),
        ("resnet18", "resnet50", r"165 of its tensors do not belong to that.*it fits the backbone 'resnet50'"),
        ("vgg16", "alexnet", r"lacks 26 of the 30 tensors, the first being 'features\.2\.weight'; it fits .*'alexnet'"),
    ],
)
def test_weights_of_another_backbone_are_named(model, wanted, given, message):
    with pytest.raises(InputError, match=message):
        fill(model, TABLES[wanted], names_of(given))


def test_a_deeper_network_without_a_table_is_named():
    """A ResNet-34 has all the tensors of a ResNet-18."""
    tensors = names_of("resnet18").tensors | {"layer1.2.conv1.weight": np.zeros(1, np.float32)}
    with pytest.raises(InputError, match=r"torchvision's resnet18: 1 of its tensors do.*'layer1\.2\.conv1\.weight'\.$"):
        fill(None, TABLES["resnet18"], StateDict("resnet34.pth", tensors))


def test_another_width_is_named():
    with pytest.raises(InputError, match=r"'conv1\.conv\.weight'.*\(16, 3, 7, 7\).*it fits the backbone 'osnet_x0_5'"):
        fill(osnet_x0_25((32, 32)), TABLES["osnet_x0_25"], names_of("osnet_x0_5"))


@pytest.mark.parametrize(
    ("backbone", "out", "message"),
    [
        ("resnet5", "a.weights.h5", r"Unknown backbone.*'resnet5'.*Did you mean 'resnet50'\? Allowed: alexnet, "),
        ("alexnet", "a.h5", r"must be named \*\.weights\.h5. Received: 'a\.h5'"),
    ],
)
def test_wrong_names_are_named(backbone, out, message):
    with pytest.raises(InputError, match=message):
        convert_weights(backbone, StateDict("a.pth", {}), out)


def test_preprocessing_travels_with_the_weights(tmp_path):
    source = vgg16((224, 224), **NARROW)
    own = source.get_layer("preprocessing").get_config()
    assert own["channel_order"] == "bgr"
    source.save_weights(tmp_path / "own.weights.h5")
    fill(source, TABLES["vgg16"], StateDict("a.pth", made_tensors(source, TABLES["vgg16"])))
    source.save_weights(tmp_path / "converted.weights.h5")

    model = vgg16((224, 224), weights=str(tmp_path / "converted.weights.h5"), **NARROW)
    assert model.get_layer("preprocessing").get_config() == imagenet_normalization().get_config()
    images = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    expected = np.asarray(source(images))
    assert np.any(expected)
    np.testing.assert_array_equal(model(images), expected)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(images), expected)
    plain = vgg16((224, 224), weights=str(tmp_path / "own.weights.h5"), **NARROW)
    assert plain.get_layer("preprocessing").get_config() == own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"\(torchvision's resnet50\) needs another form.*set stride_on: 3x3. Received: stride_on='1x1'"),
        ({"stride_on": "3x3", "last_stride": 1}, "it holds 0 arrays, the backbone has 265"),  # accepted, but empty
    ],
)
def test_the_function_that_the_weights_need_is_demanded(tmp_path, options, message):
    path = tmp_path / "resnet50.weights.h5"
    h5py.File(path, "w").close()
    table = TABLES["resnet50"]
    write_provenance(path, Provenance("resnet50", table.source, table.options))
    with pytest.raises(InputError, match=message):
        resnet50((32, 32), weights=str(path), **options)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("backbone", "resnet50", r"holds weights of the backbone 'resnet50'. Received: backbone 'tiny'"),
        ("options", "{", r"describes itself wrongly"),
    ],
)
def test_wrong_attributes_leave_the_model_as_it_was(tmp_path, attribute, value, message):
    path = tmp_path / "tiny.weights.h5"
    model = tiny((32, 32), width=4)
    model.save_weights(path)
    write_provenance(path, Provenance("tiny", "somebody's", {}))
    load_weights(model, str(path))
    before = [np.array(weight) for weight in model.weights]
    with h5py.File(path, "r+") as file:
        file.attrs[f"reid_tf_{attribute}"] = value
    with pytest.raises(InputError, match=message):
        load_weights(model, str(path))
    for weight, expected in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert model.get_layer("preprocessing").channel_order == "rgb"


def test_weights_that_fail_half_way_leave_the_model_as_it_was(tmp_path):
    def convert(source, model):
        model.get_layer("conv1_conv").set_weights([np.zeros(model.get_layer("conv1_conv").kernel.shape)])
        raise ValueError("Half way.")

    model = tiny((32, 32), width=4)
    before = [np.array(weight) for weight in model.weights]
    h5py.File(tmp_path / "a.h5", "w").close()
    published = PublishedWeights(lambda include_top, weights: None, convert)
    with pytest.raises(InputError, match=r"a\.h5' does not fit the backbone 'tiny': Half way\."):
        load_weights(model, str(tmp_path / "a.h5"), published)
    for weight, expected in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, expected)
