"""The same weights give the same features here and in PyTorch; the tables name every variable and only real tensors."""

import math

import numpy as np
import pytest

from reid_tf.backbones.weights.conversion import fill, weight_table
from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.registry import BACKBONES

torch = pytest.importorskip("torch", reason="PyTorch is absent: pip install torch")

from reid_tf.commands.benchmarks.torch_networks import PEERS, MobileNetV2, bottleneck_resnet  # noqa: E402
from tests.backbones import torch_networks  # noqa: E402

MEAN, STANDARD_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's and torchreid's, of 0..1
NARROW = {"width_multiplier": 1 / 16}
OSNETS = {
    "osnet_x0_25": (16, 64, 96, 128),
    "osnet_x0_5": (32, 128, 192, 256),
    "osnet_x0_75": (48, 192, 288, 384),
    "osnet_x1_0": (64, 256, 384, 512),
}
PUBLISHED = {
    **{name: peer.build for name, peer in PEERS.items()},
    "alexnet": torch_networks.AlexNet,
    **{name: lambda channels=channels: torch_networks.OSNet(channels) for name, channels in OSNETS.items()},
    "res2net50": torch_networks.Res2Net,
    "res2net101": lambda: torch_networks.Res2Net((3, 4, 23, 3)),
    "resnet101": lambda: bottleneck_resnet((3, 4, 23, 3)),
    "vgg16": torch_networks.VGG16,
}


def state_of(network) -> StateDict:
    return StateDict("memory", {name: tensor.numpy() for name, tensor in network.state_dict().items()})


@pytest.mark.parametrize(
    ("component", "network", "image_size"),
    [
        ({"name": "resnet18"}, PUBLISHED["resnet18"], (64, 32)),
        ({"name": "resnet18_ibn_b"}, PUBLISHED["resnet18_ibn_b"], (64, 32)),
        ({"name": "resnet50"}, PUBLISHED["resnet50"], (64, 32)),
        ({"name": "resnet50_ibn_a"}, PUBLISHED["resnet50_ibn_a"], (64, 32)),
        ({"name": "mobilenet_v2"}, PUBLISHED["mobilenet_v2"], (64, 32)),
        ({"name": "mobilenet_v2"}, lambda: MobileNetV2(nested=True), (64, 32)),
        ({"name": "efficientnet_lite2"}, PUBLISHED["efficientnet_lite2"], (75, 50)),
        ({"name": "res2net50"}, PUBLISHED["res2net50"], (64, 32)),
        ({"name": "osnet_x0_25"}, PUBLISHED["osnet_x0_25"], (64, 32)),
        ({"name": "alexnet", **NARROW}, lambda: torch_networks.AlexNet((4, 12, 24, 16, 16), 256), (224, 224)),
        ({"name": "vgg16", **NARROW}, lambda: torch_networks.VGG16((4, 8, 16, 32, 32), 256), (224, 224)),
    ],
    ids=lambda argument: argument["name"] if isinstance(argument, dict) else "",
)
def test_features_are_those_of_pytorch(component, network, image_size):
    network = torch_networks.randomise(network())
    state = state_of(network)
    table = weight_table(component["name"], state.tensors)
    model = BACKBONES.build({**component, **table.options}, image_size=image_size)
    comparison = fill(model, table, state)
    assert (comparison.unused, comparison.missing) == ((), ())
    images = np.random.default_rng(0).integers(0, 256, (2, *image_size, 3), np.uint8)
    is_lite = component["name"].startswith("efficientnet_lite")
    normalised = (images - 127.0) / 128 if is_lite else (images / 255 - MEAN) / STANDARD_DEVIATION
    with torch.no_grad():
        expected = network.feature_map(torch.tensor(normalised, dtype=torch.float32).permute(0, 3, 1, 2))
    expected = expected.permute(0, 2, 3, 1).numpy()
    features = np.asarray(model(images))
    assert features.shape == expected.shape
    assert np.linalg.norm(expected[0] - expected[1]) > 0.01 * np.linalg.norm(expected)
    assert np.abs(features - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_names_every_tensor_of_the_published_network(name):
    with torch.device("meta"):
        network = PUBLISHED[name]()
    shapes = {tensor: tuple(value.shape) for tensor, value in network.state_dict().items()}
    table = TABLES[name]
    tensors = [row.tensor for row in table.rows]
    assert len(set(tensors)) == len(tensors)
    assert {tensor for tensor in shapes if not table.has_no_place_for(tensor)} == set(tensors)
    assert shapes[table.mark[0]] == table.mark[1]


@pytest.mark.parametrize(
    "name", ["res2net101", "resnet101", "efficientnet_lite0", "efficientnet_lite1"]
)  # the others are filled above
def test_a_table_names_every_variable_once(name):
    model = BACKBONES.build({"name": name, **TABLES[name].options}, image_size=(32, 32))
    variables = [row.variable for row in TABLES[name].rows]
    assert len(set(variables)) == len(variables)
    assert set(variables) == {variable.path for variable in model.weights}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("alexnet", 61_100_840),
        ("vgg16", 138_357_544),
        ("resnet18", 11_689_512),
        ("resnet50", 25_557_032),
        ("mobilenet_v2", 3_504_872),
    ],
)
def test_the_networks_here_have_the_published_size(name, published):
    with torch.device("meta"):
        network = PUBLISHED[name]()
    assert sum(math.prod(parameter.shape) for parameter in network.parameters()) == published


def test_the_tables_are_of_registered_backbones():
    assert set(TABLES) == set(PUBLISHED)
    assert set(TABLES) <= set(BACKBONES.names())
