"""A backbone with two tops: shared up to a stage, above it one top for each of two tasks."""

import dataclasses
from typing import Any

import keras

from reid_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fork:
    """What `fork` makes.

    Args:
        trunk: keras.Model from image to {"features"}, the backbone's own feature map, and the map at the {"fork"}.
        top: keras.Model from the map at the fork to a second feature map, with weights of its own; or None where the
            whole backbone is shared and the two maps are one.
    """

    trunk: keras.Model
    top: keras.Model | None

    def __call__(self, image: Any) -> tuple[Any, Any]:
        """Returns the feature maps [batch, h, w, channels] of the first and of the second task."""
        maps = self.trunk(image)
        return maps["features"], maps["features"] if self.top is None else self.top(maps["fork"])


def fork(backbone: keras.Model, shared_layers: int | None = None) -> Fork:
    """Copies the stages of a backbone above a fork for a second task; the copy begins with the same weights.

    Args:
        backbone: keras.Model from image to feature map, with stage ends named `stage<i>`.
        shared_layers: int or None. The last stage that both tasks share; None shares all.

    Returns:
        `Fork`.

    Raises:
        InputError: the backbone has no such stage.
    """
    if shared_layers is None:
        whole = keras.Model(backbone.input, {"features": backbone.output}, name=f"{backbone.name}_trunk")
        return Fork(whole, None)
    stages = count_stages(backbone)
    if not 1 <= shared_layers <= stages:
        raise InputError(
            f"shared_layers must be 1 to {stages}, the stages of the backbone {backbone.name!r}, or null for all. "
            f"Received: {shared_layers}."
        )
    split = backbone.get_layer(f"stage{shared_layers}").output
    trunk = keras.Model(backbone.input, {"features": backbone.output, "fork": split}, name=f"{backbone.name}_trunk")
    if shared_layers == stages:
        return Fork(trunk, None)
    top = keras.Model(split, backbone.output, name=f"{backbone.name}_top")
    copy = keras.models.clone_model(top)
    copy.set_weights(top.get_weights())
    copy.name = f"{backbone.name}_second_top"
    return Fork(trunk, copy)


def count_stages(backbone: keras.Model) -> int:
    """Returns the number of a backbone's stages."""
    names = {layer.name for layer in backbone.layers}
    stages = 0
    while f"stage{stages + 1}" in names:
        stages += 1
    return stages
