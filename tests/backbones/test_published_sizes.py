"""Parameter counts and maps of the backbones at their own image sizes, against published numbers and arithmetic."""

import math

import keras
import pytest

from reid_tf.backbones.common import count_stages
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES


def trainable(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("component", "image_size", "output", "published", "head"),
    [
        # Published counts are of the classification networks: `head` is their part above the backbone.
        ({"name": "alexnet"}, (224, 224), (1, 1, 4096), 61_100_840, 4096 * 1000 + 1000),
        ({"name": "caffenet"}, (227, 227), (1, 1, 4096), 60_965_224, 4096 * 1000 + 1000),
        ({"name": "vgg16"}, (224, 224), (1, 1, 4096), 138_357_544, 4096 * 1000 + 1000),
        ({"name": "resnet18"}, (256, 128), (8, 4, 512), 11_689_512, 512 * 1000 + 1000),
        ({"name": "resnet50"}, (256, 128), (8, 4, 2048), 25_557_032, 2048 * 1000 + 1000),
        ({"name": "resnet101"}, (256, 128), (8, 4, 2048), 44_549_160, 2048 * 1000 + 1000),
        ({"name": "res2net50"}, (256, 128), (8, 4, 2048), 25_699_120, 2048 * 1000 + 1000),
        ({"name": "mobilenet_v2"}, (256, 128), (8, 4, 1280), 3_504_872, 1280 * 1000 + 1000),
        ({"name": "efficientnet_lite0"}, (256, 128), (8, 4, 1280), 4_652_008, 1280 * 1000 + 1000),
        ({"name": "efficientnet_lite1"}, (256, 128), (8, 4, 1280), 5_416_680, 1280 * 1000 + 1000),
        ({"name": "efficientnet_lite2"}, (256, 128), (8, 4, 1280), 6_092_072, 1280 * 1000 + 1000),
        ({"name": "res2net101"}, (256, 128), (8, 4, 2048), 45_206_688, 2048 * 1000 + 1000),
    ],
)
def test_published_parameter_counts(component, image_size, output, published, head):
    model = BACKBONES.build(component, image_size=image_size)
    assert model.output_shape[1:] == output
    assert trainable(model) == published - head


def osnet_parameters(channels: tuple[int, ...], gate_uses: int = 1) -> int:
    """Counts by the paper's table: stem, two blocks a stack, two transitions, the last 1x1 convolution."""

    def norm(inputs: int, outputs: int, kernel: int = 1) -> int:
        return inputs * outputs * kernel * kernel + 2 * outputs

    def block(inputs: int, outputs: int) -> int:
        mid = outputs // 4
        lite = mid * mid + 9 * mid + 2 * mid
        squeeze = max(1, mid // 16)
        gate = mid * squeeze + squeeze + squeeze * mid + mid
        shortcut = norm(inputs, outputs) if inputs != outputs else 0
        return norm(inputs, mid) + 10 * lite + gate_uses * gate + norm(mid, outputs) + shortcut

    stem, conv2, conv3, conv4 = channels
    blocks = sum(block(i, o) + block(o, o) for i, o in ((stem, conv2), (conv2, conv3), (conv3, conv4)))
    return norm(3, stem, 7) + blocks + norm(conv2, conv2) + norm(conv3, conv3) + norm(conv4, conv4)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("osnet_x1_0", (64, 256, 384, 512)),
        ("osnet_x0_75", (48, 192, 288, 384)),
        ("osnet_x0_5", (32, 128, 192, 256)),
        ("osnet_x0_25", (16, 64, 96, 128)),
    ],
)
def test_osnet_parameter_counts(name, channels):
    model = BACKBONES.build({"name": name}, image_size=(256, 128))
    assert model.output_shape[1:] == (16, 8, channels[-1])
    assert trainable(model) == osnet_parameters(channels)


def test_osnet_arithmetic_meets_the_authors_count():
    # Their tool prints 2,193,616 for x1.0: with the 512-wide fully connected layer and its normalisation, and with the
    # shared gate counted at each of its four uses.
    fully_connected = 512 * 512 + 512 + 2 * 512
    assert osnet_parameters((64, 256, 384, 512), gate_uses=4) + fully_connected == 2_193_616


def test_light_resnet18_parameter_count():
    def convolution(inputs: int, outputs: int, kernel: int) -> int:
        return inputs * outputs * kernel * kernel + 2 * outputs

    width, total = 32, convolution(3, 32, 3)
    inputs = width
    for stack in range(4):
        outputs = width * 2**stack
        total += convolution(inputs, outputs, 3) + 3 * convolution(outputs, outputs, 3)
        total += convolution(inputs, outputs, 1) if inputs != outputs else 0
        inputs = outputs
    model = BACKBONES.build({"name": "resnet18", "width": 32, "stem": "light"}, image_size=(128, 64))
    assert trainable(model) == total
    sizes = [model.get_layer(f"stage{i}").output.shape[1:] for i in range(1, 6)]
    assert sizes == [(64, 32, 32), (64, 32, 32), (32, 16, 64), (16, 8, 128), (8, 4, 256)]


@pytest.mark.parametrize(("last_stride", "output"), [(2, (4, 2, 512)), (1, (8, 4, 512))])
def test_last_stride_of_resnet18(last_stride, output):
    component = {"name": "resnet18", "last_stride": last_stride}
    assert BACKBONES.build(component, image_size=(128, 64)).output_shape[1:] == output


@pytest.mark.parametrize(
    ("name", "stages", "output"),
    [("efficientnet_lite0", 6, (8, 4, 112)), ("efficientnet_lite2", 7, (8, 4, 208)), ("mobilenet_v2", 4, (16, 8, 32))],
)
def test_the_first_stages_alone(name, stages, output):
    whole = BACKBONES.build({"name": name, "last_stride": 1}, image_size=(128, 64))
    part = BACKBONES.build({"name": name, "last_stride": 1, "stages": stages}, image_size=(128, 64))
    assert (part.name, part.output_shape[1:], count_stages(part)) == (name, output, stages)
    assert [layer.name for layer in part.layers] == [layer.name for layer in whole.layers[: len(part.layers)]]
    assert part.count_params() < whole.count_params()
    for wrong in (0, 10):
        with pytest.raises(InputError, match=f"Received.*{wrong}"):
            BACKBONES.build({"name": name, "stages": wrong}, image_size=(128, 64))


@pytest.mark.parametrize(("image_size", "output"), [((128, 64), (8, 4, 128)), ((100, 50), (7, 4, 128))])
def test_tiny_maps(image_size, output):
    assert BACKBONES.build({"name": "tiny"}, image_size=image_size).output_shape[1:] == output


def test_larger_images_give_maps_of_fully_connected_features():
    small = {"width_multiplier": 0.05}
    assert BACKBONES.build({"name": "caffenet", **small}, image_size=(259, 227)).output_shape[1:3] == (2, 1)
    assert BACKBONES.build({"name": "vgg16", **small}, image_size=(288, 224)).output_shape[1:3] == (3, 1)
