import keras
import numpy as np
import pytest

from reid_tf.backbones.fork import count_stages, fork
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES

SIZE = (32, 16)
# Deeper or wider forms of resnet50, osnet_x0_25 and efficientnet_lite0, whose stages are built by the same code.
SIBLINGS = ("resnet101", "osnet_x0_5", "osnet_x0_75", "osnet_x1_0", "efficientnet_lite1", "efficientnet_lite2")
SIBLINGS += ("res2net50", "res2net101")
SIBLINGS += ("keras_hub",)  # one stage, and a package of its own
NEEDED = {"keras_application": {"application": "MobileNetV2", "options": {"alpha": 0.35}}}


@pytest.fixture
def backbone() -> keras.Model:
    keras.utils.set_random_seed(0)
    return BACKBONES.build({"name": "tiny", "width": 4}, image_size=SIZE)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("shared", [1, 2, 3])
def test_both_tops_begin_alike_and_share_what_is_below(backbone, image, shared):
    forked = fork(backbone, shared)
    first, second = forked(image)
    np.testing.assert_allclose(first, backbone(image), rtol=1e-5)
    np.testing.assert_allclose(second, first, rtol=1e-5)
    owned = {id(variable) for variable in backbone.variables}
    assert forked.top.variables
    assert not owned & {id(variable) for variable in forked.top.variables}
    above = sum(
        len(layer.variables)
        for layer in backbone.layers[backbone.layers.index(backbone.get_layer(f"stage{shared}")) + 1 :]
    )
    assert len(forked.top.variables) == above


def test_the_copy_goes_its_own_way(backbone, image):
    forked = fork(backbone, 2)
    for variable in forked.top.trainable_variables:
        variable.assign(variable + 0.1)
    first, second = forked(image)
    np.testing.assert_allclose(first, backbone(image), rtol=1e-5)
    assert np.abs(np.array(second) - np.array(first)).max() > 1e-3


@pytest.mark.parametrize("shared", [None, 4])
def test_a_shared_backbone_is_one_map(backbone, image, shared):
    forked = fork(backbone, shared)
    first, second = forked(image)
    assert forked.top is None
    assert first is second


@pytest.mark.parametrize("name", [name for name in BACKBONES.names() if name not in SIBLINGS])
def test_every_backbone_can_be_forked_at_every_stage(name):
    large = name in ("caffenet", "vgg16")
    options = {"width_multiplier": 0.05} if large else NEEDED.get(name, {})
    backbone = BACKBONES.build({"name": name, **options}, image_size=(227, 227) if large else (64, 40))
    for stage in range(1, count_stages(backbone) + 1):
        forked = fork(backbone, stage)
        assert forked.trunk.output["features"].shape == backbone.output.shape
        assert forked.top is None or forked.top.output.shape == backbone.output.shape


@pytest.mark.parametrize("shared", [0, 5])
def test_no_such_stage(backbone, shared):
    with pytest.raises(InputError, match=f"shared_layers must be 1 to 4, .*'tiny', .*Received: {shared}"):
        fork(backbone, shared)
