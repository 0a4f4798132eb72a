"""The networks that Keras brings along, `keras.applications`, as backbones with stages."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from reid_tf.backbones.common import image_input
from reid_tf.backbones.cost import graph_of, sources_of
from reid_tf.backbones.weights.download import cache_folder
from reid_tf.backbones.weights.load import load_weights
from reid_tf.errors import InputError, one_line
from reid_tf.layers.batch_normalization import BatchNormalization
from reid_tf.layers.depthwise_conv2d import DepthwiseConv2D
from reid_tf.layers.preprocessing import (
    ChannelNormalization,
    caffe_normalization,
    imagenet_normalization,
    unchanged,
    unit_normalization,
)
from reid_tf.options import unknown
from reid_tf.registry import BACKBONES

APPLICATIONS = {name: kind for name, kind in vars(keras.applications).items() if inspect.isfunction(kind)}
# What the weights expect, by how a name begins, the longest first; the others begin with that themselves.
PREPROCESSING = {
    "DenseNet": imagenet_normalization,
    "Inception": unit_normalization,
    "MobileNetV3": None,
    "MobileNet": unit_normalization,
    "NASNet": unit_normalization,
    **{f"ResNet{depth}V2": unit_normalization for depth in (50, 101, 152)},
    "ResNet": caffe_normalization,
    "VGG": caffe_normalization,
    "Xception": unit_normalization,
}
FASTER: dict[type, Any] = {layers.BatchNormalization: BatchNormalization, layers.DepthwiseConv2D: DepthwiseConv2D}
SMALLEST = {"Inception": 75, "Xception": 71}
OWN = ("include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "classifier_activation", "name")


@BACKBONES.register("keras_application")
def keras_application(
    image_size: tuple[int, int],
    *,
    application: str,
    options: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> keras.Model:
    """Any network of `keras.applications` without its classifier: ConvNeXt, EfficientNetV2, MobileNetV3, DenseNet ...

    A stage ends at the last layer of its resolution through which everything goes; a
    network whose cells look back two cells (NASNet) has few such places.

    Args:
        image_size: (height, width) in pixels, at least 32 x 32, for Inception and
            Xception 75 x 75 and 71 x 71.
        application: str. The function's name in `keras.applications`.
        options: mapping, or None. Arguments of that function, such as `alpha`.
        weights: None, "imagenet" (Keras', fetched into Keras' own folder), or the path
            of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to the last feature map.

    Raises:
        InputError: there is no such application, it does not take the options, the
            image is too small, or the weights cannot be had or do not fit.
    """
    if application not in APPLICATIONS:
        raise InputError(unknown("application of Keras", application, APPLICATIONS))
    kind, given = APPLICATIONS[application], dict(options or {})
    for option in given:
        if option in OWN or option not in inspect.signature(kind).parameters:
            allowed = [name for name in inspect.signature(kind).parameters if name not in OWN]
            raise InputError(unknown(f"option of Keras' {application}", option, allowed))
    preprocessing = _preprocessing(application)
    smallest = next((size for start, size in SMALLEST.items() if application.startswith(start)), 32)
    _, normalised = image_input(image_size, preprocessing, smallest, "keras_application")
    named = weights if weights == "imagenet" else None
    try:
        source = kind(include_top=False, weights=named, input_tensor=normalised, **given)
    except (TypeError, ValueError) as error:
        raise InputError(f"Keras' {application} refuses its options ({one_line(error)}). Received: {given}.") from None
    except Exception as error:
        if type(error) is not Exception:  # which Keras raises where a download fails
            raise
        raise InputError(
            f"The ImageNet weights of Keras' {application} could not be fetched ({one_line(error)}): put the file of "
            f"that address into the folder {str(cache_folder())!r}, or train from scratch with weights: null."
        ) from None
    model = _with_stages(source)
    return model if named else load_weights(model, weights)


def _preprocessing(application: str) -> ChannelNormalization:
    starts = (start for start in PREPROCESSING if application.startswith(start))
    make = PREPROCESSING.get(next(starts, ""))
    return unchanged() if make is None else make()


def _with_stages(source: keras.Model) -> keras.Model:
    """Copies a network, with `stage<i>` at each stage's end, preprocessing in float32, and the faster layers."""
    ends = {name: f"stage{index}" for index, name in enumerate(stage_ends(source), start=1)}

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, layers.Rescaling | layers.Normalization):  # half a grey level is more than bfloat16 tells
            config["dtype"] = "float32"
        return FASTER.get(type(layer), type(layer)).from_config(config)

    def called(layer: Any, *inputs: Any, **arguments: Any) -> Any:
        output = layer(*inputs, **arguments)
        return layers.Identity(name=ends[layer.name])(output) if layer.name in ends else output

    copy = keras.models.clone_model(source, clone_function=copied, call_function=called)
    for layer in source.layers:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return keras.Model(copy.inputs[0], copy.outputs[0], name="keras_application")


def stage_ends(model: keras.Model) -> list[str]:
    """Finds where a network can be parted: at each resolution below the image's, its last layer without a way around.

    Args:
        model: keras.Model, functional, from an image to a feature map.

    Returns:
        list of layers' names, in the order of the data; the last is the output's.
    """
    graph = graph_of(model)
    names = [entry["name"] for entry in graph["layers"]]
    place = {name: index for index, name in enumerate(names)}
    last_use = dict(place)  # the place of the last layer that a layer's output goes to
    for entry in graph["layers"]:
        for source in sources_of(entry["inbound_nodes"]):
            last_use[source] = max(last_use[source], place[entry["name"]])
    operations = {operation.name: operation for operation in model.operations}  # layers, and sums and products
    height, reached, ends = model.input_shape[1], 0, dict[int, str]()
    for index, name in enumerate(names):
        layer = operations[name]
        parted, reached = reached <= index, max(reached, last_use[name])
        if parted and not isinstance(layer, layers.ZeroPadding2D) and len(layer.output.shape) == 4:
            halvings = round(math.log2(height / layer.output.shape[1]))
            if halvings > 0:
                ends[halvings] = name
    return [ends[halvings] for halvings in sorted(ends)]
