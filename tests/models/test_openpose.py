"""OpenPose's network filled with random weights gives the beliefs that it gives in PyTorch, and is a detector."""

import keras
import numpy as np
import pytest

from reid_tf.backbones.weights.caffe_tables import OPENPOSE_COCO
from reid_tf.backbones.weights.conversion import convert_weights
from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.errors import InputError
from reid_tf.models.openpose import convert_openpose
from reid_tf.pose.belief_maps import landmarks_of
from reid_tf.registry import DETECTORS

torch = pytest.importorskip("torch", reason="PyTorch is absent: pip install -e '.[torch]'")

from tests.backbones import torch_networks  # noqa: E402

SIZE = (48, 32)


@pytest.fixture(scope="module")
def network():
    return torch_networks.randomise(torch_networks.OpenPose())


@pytest.fixture(scope="module")
def tensors(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def test_the_networks_here_have_the_published_size(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 52_311_446


def test_a_table_names_every_tensor_but_the_last_fields(tensors):
    assert {name for name in tensors if not OPENPOSE_COCO.has_no_place_for(name)} == set(OPENPOSE_COCO.tensors)
    left_out = {name for name in tensors if OPENPOSE_COCO.has_no_place_for(name)}
    assert left_out == {f"Mconv{index}_stage6_L1.{part}" for index in range(1, 8) for part in ("weight", "bias")}
    name, shape = OPENPOSE_COCO.mark
    assert tensors[name].shape == shape


@pytest.mark.slow
def test_beliefs_and_landmarks_are_those_of_pytorch(network, tensors, tmp_path):
    path = tmp_path / "openpose.keras"
    comparison = convert_openpose(StateDict("body_pose_model.pth", tensors), path, SIZE)
    assert (comparison.unused, comparison.missing) == ((), ())
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    with torch.no_grad():
        normalised = torch.tensor(images[..., ::-1] / 256 - 0.5, dtype=torch.float32).permute(0, 3, 1, 2)
        expected = [maps.permute(0, 2, 3, 1).numpy() for maps in network.belief_maps(normalised)]
    assert np.linalg.norm(expected[-1][0] - expected[-1][1]) > 0.01 * np.linalg.norm(expected[-1])
    found = keras.models.load_model(path, compile=False)({"image": images})
    for stage, maps in enumerate(expected, start=1):
        assert np.abs(found[f"stage{stage}"] - maps).max() <= 1e-4 * np.abs(maps).max(), stage
    detector = DETECTORS.build({"name": "cpm", "run": str(path)})
    assert detector.image_size == SIZE
    np.testing.assert_allclose(detector(images, ["a.jpg", "b.jpg"]), landmarks_of(expected[-1]), atol=1e-3)


def test_other_files_are_named(tensors, tmp_path):
    with pytest.raises(InputError, match=r"lacks 1 of the 170 tensors, the first being 'conv1_1\.bias'\."):
        state = StateDict("a.pth", {name: tensor for name, tensor in tensors.items() if name != "conv1_1.bias"})
        convert_openpose(state, tmp_path / "a.keras")
    with pytest.raises(InputError, match=r"VGG_ILSVRC_16_layers: it lacks .*; it fits the detector 'cpm'\."):
        convert_weights("vgg16", StateDict("a.pth", tensors), tmp_path / "a.weights.h5")
    with pytest.raises(InputError, match=r"must be named \*\.keras\. Received: '.*a\.weights\.h5'"):
        convert_openpose(StateDict("a.pth", tensors), tmp_path / "a.weights.h5")
    with pytest.raises(InputError, match=r"must be multiples of 8 pixels\. Received: image_size=\(100, 48\)"):
        convert_openpose(StateDict("a.pth", tensors), tmp_path / "a.keras", (100, 48))
    assert not list(tmp_path.iterdir())
