"""Published networks written in PyTorch, with the names that their authors' files give the tensors.

`feature_map` is what our backbones compute, from normalised images [batch, 3, height, width].
"""

import itertools

import torch
from torch import nn
from torch.nn import functional


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Gives every parameter and statistic a random value, such that neither features nor differences vanish."""
    generator = torch.Generator().manual_seed(seed)

    def draw(tensor, low, high):
        return torch.rand(tensor.shape, generator=generator) * (high - low) + low

    with torch.no_grad():
        for name, tensor in itertools.chain(network.named_parameters(), network.named_buffers()):
            if name.endswith("num_batches_tracked"):
                continue
            if tensor.ndim > 1:
                fan_in = tensor[0].numel()
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / fan_in) ** 0.5)
            elif name.endswith(("running_mean", "bias")):
                tensor.copy_(draw(tensor, -0.3, 0.3))
            else:  # scales and variances
                tensor.copy_(draw(tensor, 0.5, 1.5))
    return network.eval()


class AlexNet(nn.Module):
    """torchvision's; its channels and its map of 6x6 as arguments."""

    def __init__(self, channels=(64, 192, 384, 256, 256), fully_connected=4096, num_classes=1000):
        super().__init__()
        one, two, three, four, five = channels
        self.features = nn.Sequential(
            *(nn.Conv2d(3, one, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(one, two, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(two, three, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(three, four, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(four, five, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(five * 36, fully_connected), nn.ReLU()),
            *(nn.Dropout(), nn.Linear(fully_connected, fully_connected), nn.ReLU()),
            nn.Linear(fully_connected, num_classes),
        )

    def feature_map(self, images):
        return self.classifier[:-1](self.features(images).flatten(1))[..., None, None]


class CaffeNet(nn.Module):
    """Caffe's bvlc_reference_caffenet: pooling that rounds up, before the normalisation; a tower for each group."""

    def __init__(self, channels=(96, 256, 384, 384, 256), fully_connected=4096, num_classes=1000):
        super().__init__()
        one, two, three, four, five = channels
        self.conv1 = nn.Conv2d(3, one, 11, 4)
        self.conv2 = nn.Conv2d(one, two, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(two, three, 3, padding=1)
        self.conv4 = nn.Conv2d(three, four, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(four, five, 3, padding=1, groups=2)
        self.fc6 = nn.Linear(five * 36, fully_connected)
        self.fc7 = nn.Linear(fully_connected, fully_connected)
        self.fc8 = nn.Linear(fully_connected, num_classes)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    def feature_map(self, images):
        features = self.norm(self.pool(functional.relu(self.conv1(images))))
        features = self.norm(self.pool(functional.relu(self.conv2(features))))
        features = functional.relu(self.conv4(functional.relu(self.conv3(features))))
        features = self.pool(functional.relu(self.conv5(features)))
        features = functional.relu(self.fc6(features.flatten(1)))
        return functional.relu(self.fc7(features))[..., None, None]


class VGG16(nn.Module):
    """torchvision's; its channels as arguments."""

    def __init__(self, channels=(64, 128, 256, 512, 512), fully_connected=4096, num_classes=1000):
        super().__init__()
        layers, inputs = [], 3
        for outputs, convolutions in zip(channels, (2, 2, 3, 3, 3), strict=True):
            for _ in range(convolutions):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *(nn.Linear(inputs * 49, fully_connected), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(fully_connected, fully_connected), nn.ReLU(), nn.Dropout()),
            nn.Linear(fully_connected, num_classes),
        )

    def feature_map(self, images):
        return self.classifier[:-1](self.features(images).flatten(1))[..., None, None]


class Res2NetBlock(nn.Module):
    """26w x 4s: three 3x3 convolutions, one after the other except in the block that begins a stack."""

    def __init__(self, inputs, planes, stride, begins_stack):
        super().__init__()
        self.width, outputs = planes * 26 // 64, 4 * planes
        self.conv1 = nn.Conv2d(inputs, 4 * self.width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * self.width)
        self.convs = nn.ModuleList(nn.Conv2d(self.width, self.width, 3, stride, 1, bias=False) for _ in range(3))
        self.bns = nn.ModuleList(nn.BatchNorm2d(self.width) for _ in range(3))
        self.conv3 = nn.Conv2d(4 * self.width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        if begins_stack:
            self.pool = nn.AvgPool2d(3, stride, 1)
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.begins_stack = begins_stack

    def forward(self, features):
        groups = functional.relu(self.bn1(self.conv1(features))).split(self.width, 1)
        mixed = []
        for convolution, norm, group in zip(self.convs, self.bns, groups[:3], strict=True):
            given = group + mixed[-1] if mixed and not self.begins_stack else group
            mixed.append(functional.relu(norm(convolution(given))))
        mixed.append(self.pool(groups[3]) if self.begins_stack else groups[3])
        residual = self.bn3(self.conv3(torch.cat(mixed, 1)))
        return functional.relu(residual + (self.downsample(features) if self.begins_stack else features))


class Res2Net(nn.Module):
    """The authors' network on the stem of a ResNet."""

    def __init__(self, num_blocks=(3, 4, 6, 3), num_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stack, (planes, blocks) in enumerate(zip((64, 128, 256, 512), num_blocks, strict=True), start=1):
            first = Res2NetBlock(inputs, planes, 1 if stack == 1 else 2, begins_stack=True)
            inputs = 4 * planes
            others = [Res2NetBlock(inputs, planes, 1, begins_stack=False) for _ in range(blocks - 1)]
            setattr(self, f"layer{stack}", nn.Sequential(first, *others))
        self.fc = nn.Linear(inputs, num_classes)

    def feature_map(self, images):
        features = functional.max_pool2d(functional.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(features))))


class ConvolutionNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel_size=1, stride=1, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, features):
        features = self.bn(self.conv(features))
        return functional.relu(features) if self.relu else features


class LightConvolution(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, features):
        return functional.relu(self.bn(self.conv2(self.conv1(features))))


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, features):
        squeezed = functional.relu(self.fc1(features.mean((2, 3), keepdim=True)))
        return features * torch.sigmoid(self.fc2(squeezed))


class OmniScaleBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        middle = outputs // 4
        self.conv1 = ConvolutionNorm(inputs, middle)
        self.conv2a = LightConvolution(middle)
        for length, stream in ((2, "b"), (3, "c"), (4, "d")):
            setattr(self, f"conv2{stream}", nn.Sequential(*(LightConvolution(middle) for _ in range(length))))
        self.gate = Gate(middle)
        self.conv3 = ConvolutionNorm(middle, outputs, relu=False)
        self.downsample = ConvolutionNorm(inputs, outputs, relu=False) if inputs != outputs else None

    def forward(self, features):
        reduced = self.conv1(features)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        residual = self.conv3(sum(self.gate(stream(reduced)) for stream in streams))
        return functional.relu(residual + (features if self.downsample is None else self.downsample(features)))


class OSNet(nn.Module):
    """torchreid's, with its 512-wide fully connected layer and its classifier."""

    def __init__(self, channels=(16, 64, 96, 128), num_classes=1000):
        super().__init__()
        stem, two, three, four = channels
        self.conv1 = ConvolutionNorm(3, stem, 7, 2)
        shrink = [nn.Sequential(ConvolutionNorm(width, width), nn.AvgPool2d(2)) for width in (two, three)]
        self.conv2 = nn.Sequential(OmniScaleBlock(stem, two), OmniScaleBlock(two, two), shrink[0])
        self.conv3 = nn.Sequential(OmniScaleBlock(two, three), OmniScaleBlock(three, three), shrink[1])
        self.conv4 = nn.Sequential(OmniScaleBlock(three, four), OmniScaleBlock(four, four))
        self.conv5 = ConvolutionNorm(four, four)
        self.fc = nn.Sequential(nn.Linear(four, 512), nn.BatchNorm1d(512), nn.ReLU())
        self.classifier = nn.Linear(512, num_classes)

    def feature_map(self, images):
        features = functional.max_pool2d(self.conv1(images), 3, 2, 1)
        return self.conv5(self.conv4(self.conv3(self.conv2(features))))


class OpenPose(nn.Module):
    """OpenPose's for COCO's 18 landmarks: two branches; every layer but a branch's last has a ReLU."""

    def __init__(self):
        super().__init__()
        self.front, channels = [], 3
        for stack, (count, width) in enumerate(((2, 64), (2, 128), (4, 256), (2, 512)), start=1):
            for index in range(1, count + 1):
                channels = self._add(self.front, f"conv{stack}_{index}", channels, width, 3)
        self._add(self.front, "conv4_3_CPM", 512, 256, 3)
        self._add(self.front, "conv4_4_CPM", 256, 128, 3)
        self.branches = {}
        for stage, (branch, maps) in itertools.product(range(1, 7), (("L1", 38), ("L2", 19))):
            names = self.branches[stage, branch] = []
            channels, prefix, suffix = 128 + 38 + 19, "Mconv", f"_stage{stage}_{branch}"
            sizes = [(7, 128)] * 5 + [(1, 128), (1, maps)]
            if stage == 1:
                channels, prefix, suffix = 128, "conv5_", f"_CPM_{branch}"
                sizes = [(3, 128)] * 3 + [(1, 512), (1, maps)]
            for index, (kernel, width) in enumerate(sizes, start=1):
                channels = self._add(names, f"{prefix}{index}{suffix}", channels, width, kernel)

    def _add(self, names, name, channels, width, kernel):
        self.add_module(name, nn.Conv2d(channels, width, kernel, padding=kernel // 2))
        names.append(name)
        return width

    def belief_maps(self, images):
        """The second branch's maps [batch, 19, height / 8, width / 8] of each stage."""
        features = images
        for name in self.front:
            if name in ("conv2_1", "conv3_1", "conv4_1"):
                features = functional.max_pool2d(features, 2)
            features = functional.relu(getattr(self, name)(features))
        seen, beliefs = features, []
        for stage in range(1, 7):
            fields, maps = (self._branch(seen, self.branches[stage, branch]) for branch in ("L1", "L2"))
            beliefs.append(maps)
            seen = torch.cat([fields, maps, features], 1)
        return beliefs

    def _branch(self, seen, names):
        for name in names[:-1]:
            seen = functional.relu(getattr(self, name)(seen))
        return getattr(self, names[-1])(seen)
