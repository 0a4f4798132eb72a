"""A backbone with several tops: shared up to a stage, above it one for each task or part of the image."""

import dataclasses
from typing import Any

import keras

from reid_tf.backbones.common import count_stages, require_positive
from reid_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fork:
    """What `fork` makes.

    Args:
        trunk: keras.Model from image to {"features"}, the backbone's own feature map,
            and the map at the {"fork"}.
        top: keras.Model from the map at the fork to a second feature map, with weights
            of its own; or None where the whole backbone is shared and the two maps are
            one.
    """

    trunk: keras.Model
    top: keras.Model | None

    def __call__(self, image: Any) -> tuple[Any, Any]:
        """Returns the feature maps [batch, h, w, channels] of the first and of the second task."""
        return self.with_shared(image)[:2]

    def with_shared(self, image: Any) -> tuple[Any, Any, Any]:
        """Returns the maps of both tasks and the last one that they share; where all is shared, one map three times."""
        maps = self.trunk(image)
        if self.top is None:
            return maps["features"], maps["features"], maps["features"]
        return maps["features"], self.top(maps["fork"]), maps["fork"]


def fork(backbone: keras.Model, shared_layers: int | None = None) -> Fork:
    """Copies the stages of a backbone above a fork for a second task; the copy begins with the same weights.

    Args:
        backbone: keras.Model from image to feature map, with stage ends named
            `stage<i>`.
        shared_layers: int or None. The last stage that both tasks share; None shares
            all.

    Returns:
        `Fork`.

    Raises:
        InputError: the backbone has no such stage.
    """
    shared = trunk(backbone, shared_layers)
    if shared_layers is None or shared_layers == count_stages(backbone):
        return Fork(shared, None)
    top = _top(backbone, shared_layers)
    copy = keras.models.clone_model(top)
    copy.set_weights(top.get_weights())
    copy.name = f"{backbone.name}_second_top"
    return Fork(shared, copy)


def trunk(backbone: keras.Model, shared_layers: int | None = None) -> keras.Model:
    """The backbone, with its map at a fork as a second output.

    Args:
        backbone: keras.Model from image to feature map, with stage ends named
            `stage<i>`.
        shared_layers: int or None. The stage whose map is wanted too; None wants none.

    Returns:
        keras.Model from image to {"features"}, the backbone's own feature map, and the
        map at the {"fork"}.

    Raises:
        InputError: the backbone has no such stage.
    """
    maps = {"features": backbone.output}
    if shared_layers is not None:
        stages = count_stages(backbone)
        if not 1 <= shared_layers <= stages:
            raise InputError(
                f"shared_layers must be 1 to {stages}, the stages of the backbone {backbone.name!r}, or null for all. "
                f"Received: {shared_layers}."
            )
        maps["fork"] = backbone.get_layer(f"stage{shared_layers}").output
    return keras.Model(backbone.input, maps, name=f"{backbone.name}_trunk")


def branch(backbone: keras.Model, stage: int, grid: tuple[int, int], width: float, name: str) -> keras.Model:
    """Copies the layers of a backbone above a stage for a map of another size and with fewer or more channels.

    The copy begins with weights of its own, drawn anew as the backbone's were.

    Args:
        backbone: keras.Model from image to feature map, with stage ends named
            `stage<i>`.
        stage: int. The layers above this one are copied.
        grid: (rows, columns) of the map that the branch takes.
        width: float above 0. Factor of all channel counts of the copy, each rounded and
            at least 1. A backbone whose next layers add to their input needs 1.
        name: str. The branch is called `<name>_branch`, its layers as the backbone's
            with `<name>_` before it.

    Returns:
        keras.Model from [batch, rows, columns, channels of the stage] to a feature map.

    Raises:
        InputError: the backbone has no such stage or none above it, the width is not
            positive or not a factor that these layers can take, or the grid is too
            small for them.
    """
    stages = count_stages(backbone)
    if not 1 <= stage < stages:
        raise InputError(
            f"A branch must begin above one of the stages 1 to {stages - 1} of the backbone {backbone.name!r}. "
            f"Received: stage={stage}."
        )
    require_positive(width, "width")
    top = _top(backbone, stage)
    try:
        return _copied(top, grid, width, name)
    except ValueError:
        if _takes(top, grid):
            fault = "cannot have other channel counts, because they combine what is below with their own"
        else:
            fault = "leave nothing of so small a map"
    raise InputError(
        f"The layers above stage{stage} of the backbone {backbone.name!r} {fault}. "
        f"Received for the branch {name!r}: grid={grid}, width={width}."
    )


def _top(backbone: keras.Model, stage: int) -> keras.Model:
    split = backbone.get_layer(f"stage{stage}").output
    return keras.Model(split, backbone.output, name=f"{backbone.name}_top")


def _copied(top: keras.Model, grid: tuple[int, int], width: float, name: str) -> keras.Model:
    """The same layers with new names, channel counts and weights on a map of another size."""

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        config["name"] = f"{name}_{layer.name}"
        for channels in ("filters", "units"):  # of convolutions, and of the dense layers of a gate
            if channels in config:
                config[channels] = max(1, round(config[channels] * width))
        return layer.__class__.from_config(config)

    feature_map = keras.Input((*grid, top.input.shape[-1]), dtype=top.input.dtype, name=f"{name}_map")
    copy = keras.models.clone_model(top, feature_map, copied)
    copy.name = f"{name}_branch"
    return copy


def _takes(top: keras.Model, grid: tuple[int, int]) -> bool:
    try:
        _copied(top, grid, 1.0, "trial")
    except ValueError:
        return False
    return True
