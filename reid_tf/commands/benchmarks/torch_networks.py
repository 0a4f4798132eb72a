"""Published networks in PyTorch, with their authors' names of the parameters: peers of speed and of weights.

Of each, `feature_map` is what the backbone of that name calculates, from normalised
images [batch, 3, height, width]. This file and `torch_steps` need PyTorch at import.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from reid_tf.backbones.efficientnet_lite import STACKS as LITE_STACKS
from reid_tf.backbones.inverted_residual import Stack
from reid_tf.backbones.mobilenet_v2 import STACKS as MOBILENET_STACKS

Instance = Literal["a", "b"]
LITE1_BLOCKS = (1, 3, 3, 4, 4, 5, 1)


class InstanceBatchNorm(nn.Module):
    """IBN-Net's mixed layer: instance normalisation of the first half of the channels, batch normalisation of the rest.

    Args:
        channels: int.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.half)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps [batch, channels, h, w] to the same shape."""
        return torch.cat([self.IN(features[:, : self.half]), self.BN(features[:, self.half :])], 1)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut.

    Args:
        in_channels: int.
        width: int. Output channels.
        stride: int.
        mixes: bool. Whether the first normalisation is IBN-Net's mixed layer.
        normalises: bool. Whether an instance normalisation follows the sum.
    """

    expansion = 1

    def __init__(
        self, in_channels: int, width: int, stride: int, *, mixes: bool = False, normalises: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = InstanceBatchNorm(width) if mixes else nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)
        self.IN = nn.InstanceNorm2d(width, affine=True) if normalises else None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps [batch, in_channels, h, w] to [batch, width, h / stride, w / stride]."""
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(features)), inplace=True)))
        residual = residual + (features if self.downsample is None else self.downsample(features))
        return functional.relu(residual if self.IN is None else self.IN(residual), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut; the stride is the 3x3's.

    Args:
        in_channels: int.
        width: int. Channels of the 3x3; the output has four times as many.
        stride: int.
        mixes: bool. Whether the first normalisation is IBN-Net's mixed layer.
        normalises: bool. Whether an instance normalisation follows the sum.
    """

    expansion = 4

    def __init__(
        self, in_channels: int, width: int, stride: int, *, mixes: bool = False, normalises: bool = False
    ) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = InstanceBatchNorm(width) if mixes else nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride)
        self.IN = nn.InstanceNorm2d(out_channels, affine=True) if normalises else None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps [batch, in_channels, h, w] to [batch, 4 * width, h / stride, w / stride]."""
        residual = functional.relu(self.bn1(self.conv1(features)), inplace=True)
        residual = functional.relu(self.bn2(self.conv2(residual)), inplace=True)
        residual = self.bn3(self.conv3(residual))
        residual = residual + (features if self.downsample is None else self.downsample(features))
        return functional.relu(residual if self.IN is None else self.IN(residual), inplace=True)


class ResNet(nn.Module):
    """torchvision's ResNets, and IBN-Net's two changes of them.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        num_blocks: four ints. Blocks per stack.
        instance: None; "a", mixed layers in all stacks but the last; or "b", an
            instance normalisation after the stem and the first two stacks.
        num_classes: int. Outputs of the classifier.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        num_blocks: Sequence[int],
        instance: Instance | None = None,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.InstanceNorm2d(64, affine=True) if instance == "b" else nn.BatchNorm2d(64)
        channels = 64
        for stack, (width, blocks) in enumerate(zip((64, 128, 256, 512), num_blocks, strict=True), start=1):
            made = []
            for index in range(blocks):
                normalises = instance == "b" and stack < 3 and index == blocks - 1
                stride = 2 if stack > 1 and index == 0 else 1
                made.append(block(channels, width, stride, mixes=instance == "a" and stack < 4, normalises=normalises))
                channels = block.expansion * width
            setattr(self, f"layer{stack}", nn.Sequential(*made))
        self.fc = nn.Linear(channels, num_classes)

    def feature_map(self, images: torch.Tensor) -> torch.Tensor:
        """Maps [batch, 3, height, width] to [batch, channels, height / 32, width / 32]."""
        features = functional.relu(self.bn1(self.conv1(images)), inplace=True)
        features = functional.max_pool2d(features, 3, 2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(features))))


class MobileNetV2(nn.Module):
    """MobileNetV2, in one of the two published ways to name its layers.

    Args:
        nested: bool. Whether a convolution, its normalisation and its ReLU are a group
            (torchvision's), or every layer of a block has a number.
        num_classes: int. Outputs of the classifier.
    """

    def __init__(self, nested: bool = False, num_classes: int = 1000) -> None:
        super().__init__()
        layers, channels = [_group(3, 32, 3, 2)], 32
        for stack in MOBILENET_STACKS:
            for index in range(stack.num_blocks):
                layers.append(_InvertedResidual(channels, stack, stack.strides if index == 0 else 1, nested))
                channels = stack.channels
        layers.append(_group(channels, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, num_classes))

    def feature_map(self, images: torch.Tensor) -> torch.Tensor:
        """Maps [batch, 3, height, width] to [batch, 1280, height / 32, width / 32]."""
        return self.features(images)


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite, padded as TensorFlow pads.

    Args:
        num_blocks: seven ints. Blocks per stack.
        channels: seven ints. Output channels of the stacks.
        num_classes: int. Outputs of the classifier.
    """

    def __init__(
        self,
        num_blocks: Sequence[int] = (1, 2, 2, 3, 3, 4, 1),
        channels: Sequence[int] = (16, 24, 40, 80, 112, 192, 320),
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        self._conv_stem = _PaddedAsTensorFlow(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        made, inputs = [], 32
        for stack, outputs, blocks in zip(LITE_STACKS, channels, num_blocks, strict=True):
            for index in range(blocks):
                made.append(_LiteBlock(inputs, outputs, stack, stack.strides if index == 0 else 1))
                inputs = outputs
        self._blocks = nn.Sequential(*made)
        self._conv_head = nn.Conv2d(inputs, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, num_classes)

    def feature_map(self, images: torch.Tensor) -> torch.Tensor:
        """Maps [batch, 3, height, width] to [batch, 1280, height / 32, width / 32]."""
        features = self._blocks(functional.relu6(self._bn0(self._conv_stem(images)), inplace=True))
        return functional.relu6(self._bn1(self._conv_head(features)), inplace=True)


class Peer(NamedTuple):
    """A network of PyTorch's that does the work of a backbone.

    Args:
        build: function without arguments, to the network.
        options: the backbone's options with which both are the same network.
    """

    build: Callable[[], nn.Module]
    options: Mapping[str, str] = MappingProxyType({})


def bottleneck_resnet(num_blocks: Sequence[int], num_classes: int = 1000) -> ResNet:
    """Builds an untrained bottleneck ResNet: (3, 4, 6, 3) blocks are ResNet-50's, (3, 4, 23, 3) ResNet-101's."""
    return ResNet(Bottleneck, num_blocks, num_classes=num_classes)


PEERS = {
    "resnet50": Peer(lambda: bottleneck_resnet((3, 4, 6, 3)), {"stride_on": "3x3"}),
    "resnet50_ibn_a": Peer(lambda: ResNet(Bottleneck, (3, 4, 6, 3), "a")),
    "resnet18": Peer(lambda: ResNet(BasicBlock, (2, 2, 2, 2))),
    "resnet18_ibn_b": Peer(lambda: ResNet(BasicBlock, (2, 2, 2, 2), "b")),
    "mobilenet_v2": Peer(MobileNetV2),
    "efficientnet_lite0": Peer(EfficientNetLite),
    "efficientnet_lite1": Peer(lambda: EfficientNetLite(LITE1_BLOCKS)),
    "efficientnet_lite2": Peer(lambda: EfficientNetLite(LITE1_BLOCKS, (16, 24, 48, 88, 120, 208, 352))),
}


class _InvertedResidual(nn.Module):
    def __init__(self, in_channels: int, stack: Stack, stride: int, nested: bool) -> None:
        super().__init__()
        wide = in_channels * stack.expansion
        parts = [_group(in_channels, wide, 1)] if stack.expansion > 1 else []
        parts.append(_group(wide, wide, stack.kernel_size, stride, groups=wide))
        last = (nn.Conv2d(wide, stack.channels, 1, bias=False), nn.BatchNorm2d(stack.channels))
        self.conv = nn.Sequential(*(parts if nested else [layer for part in parts for layer in part]), *last)
        self.adds = stride == 1 and in_channels == stack.channels

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.conv(features) + features if self.adds else self.conv(features)


class _PaddedAsTensorFlow(nn.Conv2d):
    """With a stride, pads as much as it needs, the odd pixel on the right and at the bottom."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, groups: int = 1) -> None:
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.stride[0] > 1:
            pads = []
            for size in reversed(images.shape[2:]):
                total = max((-(-size // self.stride[0]) - 1) * self.stride[0] + self.kernel_size[0] - size, 0)
                pads += [total // 2, total - total // 2]
            images = functional.pad(images, pads)
        return super().forward(images)


class _LiteBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stack: Stack, stride: int) -> None:
        super().__init__()
        wide = in_channels * stack.expansion
        self.expands, self.adds = stack.expansion > 1, stride == 1 and in_channels == out_channels
        if self.expands:
            self._expand_conv = nn.Conv2d(in_channels, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = _PaddedAsTensorFlow(wide, wide, stack.kernel_size, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, out_channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        wide = features
        if self.expands:
            wide = functional.relu6(self._bn0(self._expand_conv(wide)), inplace=True)
        wide = functional.relu6(self._bn1(self._depthwise_conv(wide)), inplace=True)
        narrow = self._bn2(self._project_conv(wide))
        return narrow + features if self.adds else narrow


def _group(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU6(inplace=True))


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))
