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

CAFFE_TABLES = {"caffenet": _CAFFENET, "vgg16": _VGG16}
