"""torchreid's checkpoints as encoders: the layer after the pooling, its statistics, and what does not fit."""

import numpy as np
import pytest

from reid_tf.backbones.weights.conversion import fill
from reid_tf.backbones.weights.state_dict import StateDict, read_state_dict
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.published import FULLY_CONNECTED, convert_encoder
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES
from tests.backbones.weights.made_torch_files import write_state_dict

NAME, SIZE, DIM = "osnet_x0_25", (64, 32), 12


@pytest.fixture(scope="module")
def network():
    return BACKBONES.build({"name": NAME}, image_size=SIZE)


@pytest.fixture
def tensors(network) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    shapes = {variable.path: tuple(variable.shape) for variable in network.weights}

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        scaled = generator.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape) if len(shape) > 1 else None
        return np.float32(generator.uniform(0.5, 1.5, shape) if scaled is None else scaled)

    made = {row.tensor: draw(row.layout.torch_shape(shapes[row.variable])) for row in TABLES[NAME].rows}
    made |= {name: generator.uniform(0.1, 1, DIM).astype(np.float32) for name in FULLY_CONNECTED[1:]}
    made["fc.0.weight"] = generator.normal(0, 1, (DIM, 128)).astype(np.float32)
    return made | {"classifier.weight": np.zeros((751, DIM), np.float32), "fc.1.num_batches_tracked": np.array(7)}


def pooled(network, tensors, images) -> np.ndarray:
    fill(network, TABLES[NAME], StateDict("memory", tensors))
    return np.asarray(network(images)).mean(axis=(1, 2))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, *SIZE, 3), np.uint8)


def test_the_embedding_is_what_comes_out_of_torchreids_last_layer(network, tensors, images, tmp_path):
    path = write_state_dict(tmp_path / "osnet.pth", tensors)
    comparison = convert_encoder(NAME, read_state_dict(path), tmp_path / "osnet", SIZE)
    assert not comparison.missing
    weight, bias, gamma, beta, mean, variance = (tensors[name] for name in FULLY_CONNECTED)
    linear = pooled(network, tensors, images) @ weight.T + bias
    expected = np.maximum((linear - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0)
    encoder = load_encoder(tmp_path / "osnet")
    assert (encoder.image_size, encoder.distance) == (SIZE, "euclidean")
    np.testing.assert_allclose(encoder(list(images)), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_without_that_layer_it_is_the_pooled_map(network, tensors, images, tmp_path):
    bare = {name: tensor for name, tensor in tensors.items() if not name.startswith("fc.")}
    convert_encoder(NAME, StateDict("memory", bare), tmp_path / "osnet", SIZE)
    expected = pooled(network, bare, images)
    np.testing.assert_allclose(load_encoder(tmp_path / "osnet")(list(images)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.1.bias": None}, r"has a layer 'fc', but lacks its tensor 'fc\.1\.bias'"),
        ({"fc.0.weight": np.zeros((DIM, 64), np.float32)}, r"'fc\.0\.weight' .* take 128 features\. .*\(12, 64\)"),
        ({"conv1.conv.weight": None}, "does not hold the weights of torchreid's osnet_x0_25: it lacks 1"),
    ],
)
def test_what_does_not_fit_is_named_and_leaves_nothing(tensors, tmp_path, change, message):
    spoilt = {name: tensor for name, tensor in (tensors | change).items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        convert_encoder(NAME, StateDict("memory", spoilt), tmp_path / "osnet", SIZE)
    assert not list(tmp_path.iterdir())
