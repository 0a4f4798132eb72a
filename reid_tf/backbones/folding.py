"""Batch normalisation as part of the layer before it: the same function for a finished model, in less time."""

from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import layers

from reid_tf.backbones.cost import LINEAR_LAYERS, graph_of, is_depthwise, sources_of


def fold_normalization(model: keras.Model) -> keras.Model:
    """Copies a model without those batch normalisations that directly follow a convolution or a dense layer.

    At test time both are linear, so the kernel takes the scale, a bias takes the shift,
    and the normalisation is gone. Keras normalises in float32 whatever the precision,
    in passes of their own over the features, which in bfloat16 take longer than the
    convolution. A layer that is called more than once, or whose output also goes
    elsewhere, stays as it is. The copy is to be used, not trained.

    Args:
        model: keras.Model, functional or sequential; models inside it are folded too.

    Returns:
        keras.Model, functional, with the inputs and outputs of `model` and weights of
        its own.
    """
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    pairs = _pairs(model)
    gone = set(pairs.values())

    def copied(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return fold_normalization(layer)
        if layer.name in gone:
            return layer
        if not isinstance(layer, layers.Layer):  # a function of keras.ops; the same one would hold on to all of `model`
            return layer.__class__.from_config(layer.get_config())
        bias = {"use_bias": True} if layer.name in pairs else {}
        return layer.__class__.from_config({**layer.get_config(), **bias})

    def called(layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in gone else layer(*inputs, **options)

    folded = keras.models.clone_model(model, clone_function=copied, call_function=called)
    for layer in folded.layers:
        if layer.name in pairs:
            layer.set_weights(_folded(model.get_layer(layer.name), model.get_layer(pairs[layer.name])))
        elif layer.weights and not isinstance(layer, keras.Model):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return folded


def _pairs(model: keras.Model) -> dict[str, str]:
    """Names of layers that can be folded, each with its normalisation's."""
    graph = graph_of(model)
    sources = {entry["name"]: list(sources_of(entry["inbound_nodes"])) for entry in graph["layers"]}
    calls = {entry["name"]: len(entry["inbound_nodes"]) for entry in graph["layers"]}
    uses = Counter(source for names in sources.values() for source in names)
    uses.update(name for name in keras.tree.flatten(graph["output_layers"]) if isinstance(name, str))
    by_name = {layer.name: layer for layer in model.layers}
    pairs = {}
    for name, layer in by_name.items():
        if isinstance(layer, layers.BatchNormalization) and calls[name] == 1:
            (source,) = sources[name]
            producer = by_name.get(source)
            once = calls[source] == 1 and uses[source] == 1
            if once and isinstance(producer, LINEAR_LAYERS) and _linear_in(producer, layer):
                pairs[source] = name
    return pairs


def _linear_in(producer: Any, norm: Any) -> bool:
    """Whether a normalisation scales what is the last axis of a layer without activation."""
    return producer.activation is keras.activations.linear and norm.axis in (-1, len(producer.output.shape) - 1)


def _folded(producer: Any, norm: Any) -> list[np.ndarray]:
    """Kernel and bias that do what a layer and its normalisation do."""
    scale = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    bias = -norm.moving_mean.numpy()
    if producer.use_bias:
        bias = bias + producer.bias.numpy()
    bias = bias * scale
    if norm.center:
        bias = bias + norm.beta.numpy()
    kernel = producer.kernel.numpy()
    per_channel = kernel.shape[-2:] if is_depthwise(producer) else kernel.shape[-1:]
    return [kernel * scale.reshape(per_channel), bias]
