"""The convolutional pose machine: where are a person's landmarks?"""

from collections.abc import Sequence
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
from reid_tf.options import Count, Whole
from reid_tf.registry import MODELS


@MODELS.register("cpm")
def cpm(
    backbone: keras.Model,
    *,
    stages: Count = 6,
    width: Count = 128,
    refinement_convolutions: Count = 5,
    refinement_kernel: Count = 7,
    feature_channels: tuple[Count, ...] | None = None,
    first_stage_width: Count | None = None,
    affinity_fields: Whole = 0,
    batch_normalization: bool = True,
    sigma: float = 1.0,
    peak_weight: float = 0.0,
) -> System:
    """Belief maps of the landmarks, refined stage by stage, with a loss on each of them.

    The first stage looks at the features alone, through small kernels; each later one
    at the features and the previous stage's beliefs through large kernels, which see
    what is around: an elbow tells where its wrist can be. A loss at every stage brings
    a gradient into the middle of a deep network. The convolutions in between are
    normalised, which the paper's are not: they learn from scratch.

    OpenPose's published network for COCO's people is one of these: `feature_channels:
    [256, 128]`, `first_stage_width: 512`, `affinity_fields: 38`, `batch_normalization:
    false`, on a `vgg_front` that is not normalised either. `convert_openpose` fills it
    with the published weights.

    Args:
        backbone: keras.Model from image to feature map; each of its cells is one of the
            belief maps.
        stages: int >= 1. Number of stages. 3 are enough for a narrow machine.
        width: int. Channels of the stages' convolutions.
        refinement_convolutions: int >= 1. Large convolutions in each stage from the
            second on. OpenPose has 5 of 7x7 at stride 8, the paper 3 of 11x11.
        refinement_kernel: int, odd. Their size.
        feature_channels: tuple of ints above 0, or None. Channels of the 3x3
            convolutions between the backbone and the stages; None is one of `width`.
        first_stage_width: int, or None for `width`. Channels of the first stage's 1x1
            convolution.
        affinity_fields: int >= 0. Maps of a second branch beside the beliefs, which the
            next stage reads too; 0 is none. OpenPose has 38, two for each limb, which
            say where it points, to tell people apart. Here they have no loss of their
            own, and the last stage, which nobody reads, has none.
        batch_normalization: bool. False leaves the normalisation out, and convolutions
            have a bias instead, as weights of the published network need it; from
            scratch such a deep network hardly learns.
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
    if refinement_kernel < 1 or refinement_kernel % 2 == 0:
        raise InputError(f"refinement_kernel must be odd. Received: refinement_kernel={refinement_kernel}.")
    image = keras.Input(backbone.input_shape[1:], name="image")
    # Every stage reads these again: as wide as the stages are, whatever the backbone.
    features = backbone(image)
    channels = (width,) if feature_channels is None else feature_channels
    for index, count in enumerate(channels, start=1):
        require_positive(count, "feature_channels")
        name = "features" if index == len(channels) else f"features_{index}"
        features = convolution_norm(features, count, 3, name=name, batch_normalization=batch_normalization)
    first = [(3, width)] * 3 + [(1, width if first_stage_width is None else first_stage_width)]
    later = [(refinement_kernel, width)] * refinement_convolutions + [(1, width)]
    require_positive(first[-1][1], "first_stage_width")
    context, outputs = [features], {}
    for stage in range(1, stages + 1):
        name = f"stage{stage}"
        seen = features if stage == 1 else layers.Concatenate(name=f"{name}_context")(context)
        convolutions = first if stage == 1 else later
        beliefs = _maps(seen, NUM_LANDMARKS + 1, convolutions, batch_normalization, name, f"{name}_beliefs")
        context = [features, beliefs]
        if affinity_fields and stage < stages:
            branch = f"{name}_fields"
            fields = _maps(seen, affinity_fields, convolutions, batch_normalization, branch, branch)
            context = [fields, beliefs, features]  # in the order of the published weights
        loss = BeliefMapError(sigma, peak_weight)
        outputs[name] = Output(as_output(beliefs, name), loss, "landmarks")
    return build_system("cpm", {"image": image}, outputs, encoder=None, batches="images", evaluation="landmarks")


def _maps(
    seen: Any,
    maps: int,
    convolutions: Sequence[tuple[int, int]],
    batch_normalization: bool,
    name: str,
    output_name: str,
) -> Any:
    """Convolutions, each (kernel size, channels), and one of 1x1 to maps [batch, h, w, maps] in the compute dtype."""
    for index, (kernel, channels) in enumerate(convolutions, start=1):
        seen = convolution_norm(seen, channels, kernel, name=f"{name}_{index}", batch_normalization=batch_normalization)
    # Nearly all beliefs are 0: larger weights would begin with loud nonsense, which the next stage is to refine.
    small = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Conv2D(maps, 1, kernel_initializer=small, name=output_name)(seen)
