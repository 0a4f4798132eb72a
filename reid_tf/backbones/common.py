"""How every backbone begins, and the contract that all of them keep.

A backbone is a function registered in `BACKBONES`, from an image size and options to a
keras.Model: `name(image_size, *, weights=None, ...)`.

    Input: "image", RGB 0..255, [batch, height, width, 3]; uint8 and float arrays give
        the same features.
    First layer: "preprocessing", what the weights expect. No caller normalises an
        image.
    Output: a feature map [batch, h, w, channels] in the compute dtype; fully connected
        layers are convolutions too.
    Stages: the last layer of stage i is named `stage<i>`, i = 1, 2, ... without gaps.
        No layer reaches past the end of a stage, so that
        `backbone.get_layer("stage3").output` is all that later layers need; the last
        stage is the output.
"""

import logging
from collections.abc import Sequence
from typing import Any

import keras

from reid_tf.errors import InputError

logger = logging.getLogger(__name__)


def image_input(
    image_size: tuple[int, int],
    preprocessing: keras.layers.Layer,
    minimum: int | tuple[int, int],
    name: str,
    enlarges: bool = False,
) -> tuple[Any, Any]:
    """Begins a backbone: its input and the normalised image.

    Args:
        image_size: (height, width) in pixels.
        preprocessing: layer from RGB 0..255 to what the first convolution takes.
        minimum: int, or (height, width). The smallest height and width that leave a
            feature map.
        name: str. The backbone's name, for the error message.
        enlarges: bool. Whether a smaller image is enlarged to `minimum` along each axis
            that falls short, as is done with photographs for networks whose fully
            connected layers want one size; otherwise it is refused.

    Returns:
        The `keras.Input` [batch, height, width, 3] and the normalised, perhaps enlarged
        image.

    Raises:
        InputError: the image is smaller than `minimum` and not enlarged, or empty.
    """
    height, width = image_size
    least_height, least_width = (minimum, minimum) if isinstance(minimum, int) else minimum
    too_small = height < least_height or width < least_width
    if (too_small and not enlarges) or min(height, width) < 1:
        raise InputError(
            f"The backbone {name!r} takes images of at least {least_height} x {least_width} pixels (height x width). "
            f"Received: image_size=({height}, {width})."
        )
    image = keras.Input((height, width, 3), name="image")
    normalised = preprocessing(image)
    if too_small:
        size = (max(height, least_height), max(width, least_width))
        logger.warning("the backbone %s enlarges images of %d x %d pixels to %d x %d", name, height, width, *size)
        normalised = keras.layers.Resizing(*size, interpolation="bilinear", name="enlarged")(normalised)
    return image, normalised


def smallest_image(output: int, windows: Sequence[tuple[int, int]]) -> int:
    """Walks unpadded windows backwards: which input leaves `output` positions at the end?

    Args:
        output: int. Positions wanted after the last window.
        windows: sequence of (kernel size, stride) of the convolutions and poolings, in
            the order of the data.

    Returns:
        int. The smallest input size along one axis.
    """
    size = output
    for kernel_size, stride in reversed(windows):
        size = (size - 1) * stride + kernel_size
    return size


def require_positive(value: float, option: str) -> None:
    """Raises `InputError` where a width, a count or a factor is not above 0."""
    if value <= 0:
        raise InputError(f"{option} must be above 0. Received: {option}={value}.")


def scaled(channels: int, width_multiplier: float) -> int:
    """Returns a channel count times `width_multiplier`, even (for two towers) and at least 2."""
    require_positive(width_multiplier, "width_multiplier")
    return max(2, 2 * round(channels * width_multiplier / 2))


def count_stages(backbone: keras.Model) -> int:
    """Returns the number of a backbone's stages."""
    names = {layer.name for layer in backbone.layers}
    stages = 0
    while f"stage{stages + 1}" in names:
        stages += 1
    return stages


def first_stages(backbone: keras.Model, stages: int | None) -> keras.Model:
    """A backbone without its last stages.

    Those of a network that was trained on ImageNet know its classes; what is before
    them is cheaper, and a few thousand crops teach it people faster.

    Args:
        backbone: keras.Model, whole and with its weights.
        stages: int or None. How many stages are kept; None keeps all.

    Returns:
        keras.Model from the image to the map of that stage, of the same name.

    Raises:
        InputError: the backbone has fewer stages.
    """
    if stages is None:
        return backbone
    if stages > count_stages(backbone):
        raise InputError(
            f"The backbone {backbone.name!r} has {count_stages(backbone)} stages. Received: stages={stages}."
        )
    return keras.Model(backbone.input, backbone.get_layer(f"stage{stages}").output, name=backbone.name)
