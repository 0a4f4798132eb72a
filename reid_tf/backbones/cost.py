"""What a model costs: its parameters and the multiply-adds of one image."""

import math
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from reid_tf.errors import InputError

LINEAR_LAYERS = (
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.Dense),
)


def graph_of(model: keras.Model) -> dict[str, Any]:
    """Returns the description of a model's layers and their calls, of a functional or a sequential one."""
    graph: dict[str, Any] = keras.Model(model.inputs, model.outputs).get_config()  # a sequential one's lists no calls
    return graph


def sources_of(node: Any) -> Iterator[str]:
    """Yields the names of the layers whose outputs a call takes, from its description in `graph_of`'s answer."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield node["config"]["keras_history"][0]
    elif isinstance(node, dict | list | tuple):
        for part in node.values() if isinstance(node, dict) else node:
            yield from sources_of(part)


def is_depthwise(layer: Any) -> bool:
    """Says whether the last axis of a layer's kernel is a multiplier of the channels, not the channels."""
    return isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D)


def count_parameters(model: keras.Model) -> int:
    """Counts the trainable weights' elements, as papers do; `model.count_params()` adds moving statistics.

    Args:
        model: keras.Model. A weight that several layers share counts once.

    Returns:
        int.
    """
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def multiply_adds(model: keras.Model) -> int:
    """Counts the multiplications, each with its addition, of one image through convolutions and dense layers.

    That is what papers on convolutional networks print as "FLOPs", though a
    multiply-add is two operations. Each position of an output meets each element of the
    kernel once, at the borders too. A layer that is called several times counts at each
    call, and so does a model inside the model. Not counted: biases, normalisation,
    activations, pooling, sums and products of features, resizing, and what a layer of
    another kind calculates.

    Args:
        model: keras.Model, functional or sequential, whose inputs have known sizes.

    Returns:
        int.

    Raises:
        InputError: the size of a counted layer's input is unknown.
    """
    by_name = {layer.name: layer for layer in model.layers}
    total = 0
    for entry in graph_of(model)["layers"]:
        layer = by_name.get(entry["name"])  # None: a function of keras.ops
        for call in entry["inbound_nodes"]:
            if isinstance(layer, keras.Model):
                total += multiply_adds(layer)
            elif isinstance(layer, LINEAR_LAYERS):
                total += _of_call(layer, call["args"][0]["config"]["shape"])
    return total


def _of_call(layer: Any, input_shape: Any) -> int:
    output_shape = layer.compute_output_shape(tuple(input_shape))[1:]
    if None in output_shape:
        raise InputError(
            "Multiply-adds are counted for inputs of one size: build the model with an image size. "
            f"Received: the input {tuple(input_shape)} of the layer {layer.name!r}."
        )
    kernel = layer.kernel.shape
    if is_depthwise(layer):
        return math.prod(output_shape[:-1]) * math.prod(kernel)  # [..., channels, multiplier]
    return math.prod(output_shape) * math.prod(kernel[:-1])  # [..., channels, output channels]
