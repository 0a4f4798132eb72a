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


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, features):
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(features)))))
        return functional.relu(residual + (features if self.downsample is None else self.downsample(features)))


class BasicResNet(nn.Module):
    """torchvision's ResNets of two 3x3 convolutions a block, ResNet-18 by its numbers of blocks."""

    def __init__(self, num_blocks=(2, 2, 2, 2), num_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stack, (outputs, blocks) in enumerate(zip((64, 128, 256, 512), num_blocks, strict=True), start=1):
            first = BasicBlock(inputs, outputs, 1 if stack == 1 else 2)
            others = [BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{stack}", nn.Sequential(first, *others))
            inputs = outputs
        self.fc = nn.Linear(inputs, num_classes)

    def feature_map(self, images):
        features = functional.max_pool2d(functional.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(features))))


class InstanceBatchNorm(nn.Module):
    """IBN-Net's: instance normalisation of the first half, batch normalisation of the rest."""

    def __init__(self, channels):
        super().__init__()
        self.half = channels // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.half)

    def forward(self, features):
        return torch.cat([self.IN(features[:, : self.half]), self.BN(features[:, self.half :])], 1)


class InstanceBottleneck(nn.Module):
    def __init__(self, inputs, planes, stride, ibn):
        super().__init__()
        outputs = 4 * planes
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = InstanceBatchNorm(planes) if ibn else nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, features):
        residual = functional.relu(self.bn1(self.conv1(features)))
        residual = self.bn3(self.conv3(functional.relu(self.bn2(self.conv2(residual)))))
        return functional.relu(residual + (features if self.downsample is None else self.downsample(features)))


class InstanceBasicBlock(BasicBlock):
    """A basic block with an instance normalisation of the sum."""

    def __init__(self, inputs, outputs, stride):
        super().__init__(inputs, outputs, stride)
        self.IN = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, features):
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(features)))))
        return functional.relu(self.IN(residual + features))


class ResNet50IbnA(nn.Module):
    """IBN-Net's resnet50_ibn_a."""

    def __init__(self, num_blocks=(3, 4, 6, 3), num_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stack, (planes, blocks) in enumerate(zip((64, 128, 256, 512), num_blocks, strict=True), start=1):
            made = []
            for index in range(blocks):
                made.append(InstanceBottleneck(inputs, planes, 2 if stack > 1 and index == 0 else 1, stack < 4))
                inputs = 4 * planes
            setattr(self, f"layer{stack}", nn.Sequential(*made))
        self.fc = nn.Linear(inputs, num_classes)

    def feature_map(self, images):
        features = functional.max_pool2d(functional.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(features))))


class ResNet18IbnB(BasicResNet):
    """IBN-Net's resnet18_ibn_b."""

    def __init__(self):
        super().__init__()
        self.bn1 = nn.InstanceNorm2d(64, affine=True)
        self.layer1[1] = InstanceBasicBlock(64, 64, 1)
        self.layer2[1] = InstanceBasicBlock(128, 128, 1)


class MobileNetV2(nn.Module):
    """Its two published ways to name the same layers: every one numbered, or those of a convolution in a group."""

    SETTINGS = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self, nested=False, num_classes=1000):
        super().__init__()
        layers, inputs = [self.group(3, 32, 3, 2)], 32
        for expansion, outputs, blocks, stride in self.SETTINGS:
            for index in range(blocks):
                layers.append(self.block(inputs, outputs, stride if index == 0 else 1, expansion, nested))
                inputs = outputs
        layers.append(self.group(inputs, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, num_classes))

    @staticmethod
    def group(inputs, outputs, kernel_size, stride=1, groups=1):
        convolution = nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())

    def block(self, inputs, outputs, stride, expansion, nested):
        wide = inputs * expansion
        parts = [self.group(inputs, wide, 1)] if expansion > 1 else []
        parts.append(self.group(wide, wide, 3, stride, groups=wide))
        last = (nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        module = nn.Module()
        module.conv = nn.Sequential(*(parts if nested else [layer for part in parts for layer in part]), *last)
        module.forward = lambda features: module.conv(features) + (features if stride == 1 and inputs == outputs else 0)
        return module

    def feature_map(self, images):
        return self.features(images)


class PaddedAsTensorFlow(nn.Conv2d):
    """Pads as much as the stride needs, the odd pixel on the right and at the bottom."""

    def forward(self, images):
        pads = []
        for size, kernel, stride in zip(
            reversed(images.shape[2:]), reversed(self.kernel_size), self.stride, strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(images, pads))


class LiteBlock(nn.Module):
    def __init__(self, inputs, outputs, kernel_size, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = PaddedAsTensorFlow(wide, wide, kernel_size, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, features):
        wide = functional.relu6(self._bn0(self._expand_conv(features))) if self.expands else features
        wide = functional.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow = self._bn2(self._project_conv(wide))
        return narrow + features if self.adds else narrow


class EfficientNetLite(nn.Module):
    """Rows of expansion, stride and kernel; blocks per row and channels as arguments."""

    SETTINGS = ((1, 1, 3), (6, 2, 3), (6, 2, 5), (6, 2, 3), (6, 1, 5), (6, 2, 5), (6, 1, 3))

    def __init__(self, num_blocks=(1, 2, 2, 3, 3, 4, 1), channels=(16, 24, 40, 80, 112, 192, 320), num_classes=1000):
        super().__init__()
        self._conv_stem = PaddedAsTensorFlow(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        made, inputs = [], 32
        for (expansion, stride, kernel), outputs, blocks in zip(self.SETTINGS, channels, num_blocks, strict=True):
            for index in range(blocks):
                made.append(LiteBlock(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.Sequential(*made)
        self._conv_head = nn.Conv2d(inputs, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, num_classes)

    def feature_map(self, images):
        features = self._blocks(functional.relu6(self._bn0(self._conv_stem(images))))
        return functional.relu6(self._bn1(self._conv_head(features)))


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
