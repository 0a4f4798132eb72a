"""The names that Caffe's published networks give their layers, and ours: one table per network."""

from reid_tf.backbones.weights.table import CONVOLUTION, CONVOLUTION_OF_DENSE, VECTOR, Layout, Row, WeightTable
from reid_tf.layers.preprocessing import ChannelNormalization, caffe_normalization


def _layer(ours: str, theirs: str, layout: Layout = CONVOLUTION) -> list[Row]:
    return [Row(f"{ours}/kernel", f"{theirs}.weight", layout), Row(f"{ours}/bias", f"{theirs}.bias", VECTOR)]


def _two_towers(layer: str) -> list[Row]:
    return [
        Row(f"{layer}_tower{tower + 1}/{variable}", f"{layer}.{blob}", layout.of_group(tower, 2))
        for tower in (0, 1)
        for variable, blob, layout in (("kernel", "weight", CONVOLUTION), ("bias", "bias", VECTOR))
    ]


def _fully_connected() -> list[Row]:
    return [row for layer in ("fc6", "fc7") for row in _layer(layer, layer, CONVOLUTION_OF_DENSE)]


def _caffenet_normalization() -> ChannelNormalization:
    # The mean of each channel of `imagenet_mean.binaryproto`, BGR: Caffe's own examples for Python take it in place of
    # the mean image, which has another size than the crops of the network.
    return ChannelNormalization((104.007, 116.669, 122.679), channel_order="bgr", name="preprocessing")


_CAFFENET = WeightTable(
    source="Caffe's bvlc_reference_caffenet",
    rows=[
        *_layer("conv1", "conv1"),
        *_two_towers("conv2"),
        *_layer("conv3", "conv3"),
        *_two_towers("conv4"),
        *_two_towers("conv5"),
        *_fully_connected(),
    ],
    left_out=("fc8*",),
    mark=("conv1.weight", (96, 3, 11, 11)),
    preprocessing=_caffenet_normalization,
    layer_order=("pool1", "norm1", "pool2", "norm2"),  # BVLC's AlexNet has the same weights and normalises first
)

_VGG16 = WeightTable(
    source="the authors' VGG_ILSVRC_16_layers",
    rows=[
        *(
            row
            for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1)
            for index in range(1, convolutions + 1)
            for row in _layer(f"block{block}_conv{index}", f"conv{block}_{index}")
        ),
        *_fully_connected(),
    ],
    left_out=("fc8*",),
    mark=("conv1_2.weight", (64, 64, 3, 3)),
    preprocessing=caffe_normalization,
)

_VGG19_FRONT = (2, 2, 4, 2)  # convolutions per stack
_STAGES = 6


def _openpose_stage(stage: int) -> list[Row]:
    """Rows of a stage, whose branch L1 gives fields, which the last stage has no use for, and L2 beliefs."""
    first = stage == 1
    rows = []
    for branch, ours, maps in (("L1", f"stage{stage}_fields", ""), ("L2", f"stage{stage}", "_beliefs")):
        if branch == "L1" and stage == _STAGES:
            continue
        theirs = [f"conv5_{index}_CPM_{branch}" for index in range(1, 6)]
        if not first:
            theirs = [f"Mconv{index}_stage{stage}_{branch}" for index in range(1, 8)]
        for index, name in enumerate(theirs[:-1], start=1):
            rows += _layer(f"{ours}_{index}_conv", name)
        rows += _layer(f"{ours}{maps}", theirs[-1])
    return rows


def _openpose_normalization() -> ChannelNormalization:
    return ChannelNormalization((128.0,) * 3, (256.0,) * 3, channel_order="bgr", name="preprocessing")


# The same names in Caffe's file and in the one that others made of it for PyTorch.
OPENPOSE_COCO = WeightTable(
    source="OpenPose's network for COCO's 18 landmarks (pose_iter_440000, body_pose_model)",
    rows=[
        *(
            row
            for block, convolutions in enumerate(_VGG19_FRONT, start=1)
            for index in range(1, convolutions + 1)
            for row in _layer(f"block{block}_{index}_conv", f"conv{block}_{index}")
        ),
        *_layer("features_1_conv", "conv4_3_CPM"),
        *_layer("features_conv", "conv4_4_CPM"),
        *(row for stage in range(1, _STAGES + 1) for row in _openpose_stage(stage)),
    ],
    left_out=(f"Mconv?_stage{_STAGES}_L1.*",),
    mark=("Mconv1_stage2_L1.weight", (128, 185, 7, 7)),
    preprocessing=_openpose_normalization,
)

CAFFE_TABLES = {"caffenet": _CAFFENET, "vgg16": _VGG16}
