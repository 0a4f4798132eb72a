"""Bottleneck ResNets in PyTorch with the parameter names of torchvision's files: a peer of speed and of weights.

The only file of the tools that needs PyTorch at import.
"""

import copy
import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

EXPANSION = 4
MEAN, STANDARD_DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut; the stride is the 3x3's.

    Args:
        in_channels: int.
        width: int. Channels of the 3x3; the output has four times as many.
        stride: int.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps [batch, in_channels, h, w] to [batch, 4 * width, h / stride, w / stride]."""
        shortcut = features if self.downsample is None else self.downsample(features)
        features = self.relu(self.bn1(self.conv1(features)))
        features = self.relu(self.bn2(self.conv2(features)))
        return self.relu(self.bn3(self.conv3(features)) + shortcut)


class BottleneckResNet(nn.Module):
    """Stem, four stacks of bottlenecks, global average pooling and a classifier.

    Args:
        num_blocks: four ints. Bottlenecks per stack.
        num_classes: int.
    """

    def __init__(self, num_blocks: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _stack(64, 64, num_blocks[0], stride=1)
        self.layer2 = _stack(256, 128, num_blocks[1], stride=2)
        self.layer3 = _stack(512, 256, num_blocks[2], stride=2)
        self.layer4 = _stack(1024, 512, num_blocks[3], stride=2)
        self.fc = nn.Linear(2048, num_classes)

    def feature_map(self, images: torch.Tensor) -> torch.Tensor:
        """Maps normalised images [batch, 3, height, width] to [batch, 2048, height / 32, width / 32]."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(features))))

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        """Maps normalised images [batch, 3, height, width] to the pooled features [batch, 2048]."""
        return self.feature_map(images).mean((2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps normalised images [batch, 3, height, width] to logits [batch, num_classes]."""
        return self.fc(self.embedding(images))


def bottleneck_resnet(num_blocks: Sequence[int], num_classes: int = 1000) -> BottleneckResNet:
    """Builds an untrained bottleneck ResNet with the stride on the 3x3 convolution.

    Args:
        num_blocks: four ints. Bottlenecks per stack: (3, 4, 6, 3) is ResNet-50, (3, 4,
            23, 3) ResNet-101.
        num_classes: int. Outputs of the classifier.

    Returns:
        A torch.nn.Module from normalised images [batch, 3, height, width] to logits;
        its methods `feature_map` and `embedding` stop earlier.
    """
    return BottleneckResNet(num_blocks, num_classes)


def steps(
    num_blocks: Sequence[int], images: np.ndarray, identities: np.ndarray, num_identities: int, training: bool
) -> dict[str, Callable[[], object]]:
    """What PyTorch does with one batch, from grey values in memory to embeddings or to updated weights.

    Memory is channels-last, and PyTorch gets as many threads as TensorFlow takes.
    bfloat16 comes in both of PyTorch's ways: by autocast (its counterpart of Keras'
    mixed policy) and with the weights themselves in bfloat16.

    Args:
        num_blocks: four ints. As in `bottleneck_resnet`.
        images: uint8 [batch, height, width, 3].
        identities: int [batch]. Below `num_identities`.
        num_identities: int. Classes of the softmax; the optimizer is SGD with momentum.
        training: bool. Whether training steps are wanted beside the embedding steps.

    Returns:
        dict from "embedding, float32", "embedding, bfloat16 autocast", "embedding,
        bfloat16 weights" and the same with "training" to a function without arguments.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = bottleneck_resnet(num_blocks, num_identities).to(memory_format=torch.channels_last)
    forms = {
        "float32": (network, False),
        "bfloat16 autocast": (network, True),
        "bfloat16 weights": (copy.deepcopy(network).bfloat16(), False),
    }
    wanted: dict[str, Callable[[], object]] = {}
    for form, (module, autocast) in forms.items():
        wanted[f"embedding, {form}"] = _embedding_step(copy.deepcopy(module), images, autocast)
        if training:
            wanted[f"training, {form}"] = _training_step(copy.deepcopy(module), images, identities, autocast)
    return wanted


def _embedding_step(network: BottleneckResNet, images: np.ndarray, autocast: bool) -> Callable[[], object]:
    network.eval()

    def step() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return network.embedding(_normalised(images).to(network.conv1.weight.dtype)).float().numpy()

    return step


def _training_step(
    network: BottleneckResNet, images: np.ndarray, identities: np.ndarray, autocast: bool
) -> Callable[[], object]:
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    targets = torch.from_numpy(identities.astype(np.int64))

    def step() -> object:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = network(_normalised(images).to(network.conv1.weight.dtype))
        loss = nn.functional.cross_entropy(logits.float(), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _normalised(images: np.ndarray) -> torch.Tensor:
    """Channels first in shape, channels last in memory, as the images already lie."""
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STANDARD_DEVIATION))
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() - mean) / deviation


def _stack(in_channels: int, width: int, num_blocks: int, stride: int) -> nn.Sequential:
    blocks = [Bottleneck(in_channels, width, stride)]
    blocks += [Bottleneck(EXPANSION * width, width, 1) for _ in range(num_blocks - 1)]
    return nn.Sequential(*blocks)
