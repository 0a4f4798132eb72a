"""The convolutional pose machine: where are a person's landmarks?"""

from typing import Any

import keras
from keras import layers

from reid_tf.backbones.blocks import convolution_norm
from reid_tf.backbones.common import require_positive
from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.errors import InputError
from reid_tf.losses import BeliefMapError
from reid_tf.models.embedding import as_output
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.registry import MODELS


@MODELS.register("cpm")
def cpm(
    backbone: keras.Model,
    *,
    stages: int = 6,
    width: int = 128,
    refinement_convolutions: int = 5,
    refinement_kernel: int = 7,
    sigma: float = 1.0,
    peak_weight: float = 0.0,
) -> System:
    """Belief maps of the landmarks, refined stage by stage, with a loss on each of them.

    The first stage looks at the features alone, through small kernels; each later one
    at the features and the previous stage's beliefs through large kernels, which see
    what is around: an elbow tells where its wrist can be. A loss at every stage brings
    a gradient into the middle of a deep network. The convolutions in between are
    normalised, which the paper's are not: they learn from scratch.

    Args:
        backbone: keras.Model from image to feature map; each of its cells is one of the
            belief maps.
        stages: int >= 1. Number of stages. 3 are enough for a narrow machine.
        width: int. Channels of the stages' convolutions.
        refinement_convolutions: int >= 1. Large convolutions in each stage from the
            second on. OpenPose has 5 of 7x7 at stride 8, the paper 3 of 11x11.
        refinement_kernel: int, odd. Their size.
        sigma: float above 0. Standard deviation of the ideal beliefs, in cells of the
            map.
        peak_weight: float >= 0. Extra weight of errors at the landmarks, see
            `BeliefMapError`.

    Returns:
        `System` with the outputs `stage1` .. `stage<stages>` [batch, h, w, 19], a map
        for each landmark and one for the background, each with weight 1. It has no
        encoder, and is evaluated by its landmarks.

    Raises:
        InputError: an option is out of its range.

    References:
        Wei et al., Convolutional Pose Machines; Cao et al., Realtime Multi-Person 2D
        Pose Estimation using Part Affinity Fields (the sizes of the convolutions).
    """
    for option, count in (("stages", stages), ("width", width), ("refinement_convolutions", refinement_convolutions)):
        require_positive(count, option)
    if refinement_kernel < 1 or refinement_kernel % 2 == 0:
        raise InputError(f"refinement_kernel must be odd. Received: refinement_kernel={refinement_kernel}.")
    image = keras.Input(backbone.input_shape[1:], name="image")
    # Every stage reads these again: as wide as the stages are, whatever the backbone.
    features = convolution_norm(backbone(image), width, 3, name="features")
    beliefs, outputs = None, {}
    for stage in range(1, stages + 1):
        name = f"stage{stage}"
        if beliefs is None:
            seen, kernels = features, [3] * 3
        else:
            seen = layers.Concatenate(name=f"{name}_context")([features, beliefs])
            kernels = [refinement_kernel] * refinement_convolutions
        beliefs = _beliefs(seen, width, kernels, name)
        loss = BeliefMapError(sigma, peak_weight)
        outputs[name] = Output(as_output(beliefs, name), loss, "landmarks")
    return build_system("cpm", {"image": image}, outputs, encoder=None, batches="images", evaluation="landmarks")


def _beliefs(seen: Any, width: int, kernels: list[int], stage: str) -> Any:
    """The convolutions of a stage, ending in two of 1x1: maps [batch, h, w, NUM_LANDMARKS + 1] in the compute dtype."""
    for index, kernel in enumerate([*kernels, 1], start=1):
        seen = convolution_norm(seen, width, kernel, name=f"{stage}_{index}")
    # Nearly all beliefs are 0: larger weights would begin with loud nonsense, which the next stage is to refine.
    small = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Conv2D(NUM_LANDMARKS + 1, 1, kernel_initializer=small, name=f"{stage}_beliefs")(seen)
