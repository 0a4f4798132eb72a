"""Caffe's `.caffemodel` files, written from arrays."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from reid_tf.backbones.weights.caffe import LEGACY_AXES, message_classes

CAFFENET_LAYERS = (
    *("data", "conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2", "conv3", "relu3", "conv4"),
    *("relu4", "conv5", "relu5", "pool5", "fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8", "prob"),
)


def caffemodel(
    tensors: Mapping[str, np.ndarray],
    layers: Iterable[str] | None = None,
    form: Literal["layers", "layer"] = "layer",
    name: str = "made",
    double: bool = False,
) -> bytes:
    """The bytes of a network.

    Args:
        tensors: arrays by `<layer>.weight` and `<layer>.bias`.
        layers: names of all layers in their order; None for those with tensors.
        form: the field that holds the layers; in the older one arrays have four axes.
        name: of the network.
        double: whether numbers are written in double precision.
    """
    net = message_classes()["NetParameter"](name=name)
    for layer in layers or dict.fromkeys(tensor.rpartition(".")[0] for tensor in tensors):
        added = getattr(net, form).add(name=layer)
        for part in ("weight", "bias"):
            if f"{layer}.{part}" in tensors:
                array = tensors[f"{layer}.{part}"]
                blob = added.blobs.add()
                if form == "layer":
                    blob.shape.dim.extend(array.shape)
                else:
                    for axis, size in zip(LEGACY_AXES, (*[1] * (4 - array.ndim), *array.shape), strict=True):
                        setattr(blob, axis, size)
                (blob.double_data if double else blob.data).extend(array.ravel().tolist())
    return net.SerializeToString()


def write_caffemodel(path: Path, tensors: Mapping[str, np.ndarray], **options) -> Path:
    """Writes `caffemodel()` and returns the path."""
    path.write_bytes(caffemodel(tensors, **options))
    return path
