"""KerasHub's image networks as backbones: ViT, DeiT, Swin, MiT, and its convolutional ones."""

import importlib
from typing import Any

import keras
import numpy as np
from keras import layers

from reid_tf.backbones.common import image_input
from reid_tf.backbones.weights.load import load_weights
from reid_tf.errors import InputError, one_line, require_package
from reid_tf.layers.preprocessing import ChannelNormalization, imagenet_normalization
from reid_tf.registry import BACKBONES

PRESET = "preset"  # the value of `weights` that means the preset's own
MOST_EXTRA_TOKENS = 8  # class, distillation and registers; more are no map with something before it
_REFUSALS = (AttributeError, FileNotFoundError, KeyError, OSError, TypeError, ValueError)


@BACKBONES.register("keras_hub")
def keras_hub(image_size: tuple[int, int], *, preset: str, weights: str | None = None) -> keras.Model:
    """A network of KerasHub whose input may be 2:1; the tokens of a transformer become its feature map.

    Class and register tokens are dropped. The whole network is one stage. KerasHub's
    DINOv2 and DINOv3 take square images alone, and are refused.

    Args:
        image_size: (height, width) in pixels; multiples of the patch size where the
            network has one.
        preset: str. As KerasHub's `Backbone.from_preset` takes it: a name, which is
            fetched, or a folder.
        weights: None, "preset" (the preset's own, with the preprocessing that they
            expect), or the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to the feature map.

    Raises:
        InputError: KerasHub is not installed, the preset cannot be had, is not of an
            image network or not for such images, or the weights do not fit.
    """
    require_package("keras-hub", f"The backbone 'keras_hub' ({preset})", "'reid_tf[hub]'")
    models = importlib.import_module("keras_hub").models
    try:
        network = models.Backbone.from_preset(preset, load_weights=weights == PRESET, image_shape=(*image_size, 3))
    except _REFUSALS as error:
        raise InputError(
            f"KerasHub's preset {preset!r} cannot be had for images of {image_size[0]} x {image_size[1]} pixels "
            f"({one_line(error)})."
        ) from None
    image, normalised = image_input(image_size, _preprocessing(preset, weights), 1, "keras_hub")
    given = keras.tree.map_structure(lambda _: normalised, network.input)
    features = _as_map(network(given), network, preset, image_size)
    model = keras.Model(image, layers.Identity(name="stage1")(features), name="keras_hub")
    return model if weights == PRESET else load_weights(model, weights)


def _preprocessing(preset: str, weights: str | None) -> ChannelNormalization:
    """What a preset's weights expect; ImageNet's mean and deviation where there are none."""
    if weights != PRESET:
        return imagenet_normalization()
    converter = importlib.import_module("keras_hub").layers.ImageConverter.from_preset(preset)
    scale = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3).astype(float)
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3).astype(float)
    # image * scale + offset
    return ChannelNormalization((-offset / scale).tolist(), (1.0 / scale).tolist(), name="preprocessing")


def _as_map(features: Any, network: Any, preset: str, image_size: tuple[int, int]) -> Any:
    if isinstance(features, dict) or len(features.shape) not in (3, 4):
        raise InputError(f"KerasHub's preset {preset!r} gives no feature map. Received: {features!r}.")
    if len(features.shape) == 4:
        return features
    patch = int(np.max(getattr(network, "patch_size", None) or 1))
    tokens, dim = features.shape[1:]
    for stride in (patch * 2**halvings for halvings in range(6)):
        rows, columns = image_size[0] // stride, image_size[1] // stride
        extra = tokens - rows * columns
        if 0 <= extra <= MOST_EXTRA_TOKENS:
            return layers.Reshape((rows, columns, dim), name="map")(features[:, extra:])
    raise InputError(
        f"KerasHub's preset {preset!r} is for square images: it makes {tokens} tokens of {image_size[0]} x "
        f"{image_size[1]} pixels, which are no map."
    )
