"""The pose-guided network: the whole person and three body parts, fused; identification and a triplet loss together."""

from typing import Annotated, Any, Literal

import keras
from keras import layers

from reid_tf.backbones.fork import branch, trunk
from reid_tf.datasets.joint_orders import PARTS
from reid_tf.errors import InputError
from reid_tf.layers.roi_pooling import RoIMaxPooling
from reid_tf.losses import CrossEntropy
from reid_tf.models.embedding import Pooling, as_output, pool
from reid_tf.models.heads import IdentityHead, accuracy, metric_outputs, ranking_distance
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import ComponentOf, Count, OneOrMore, Whole
from reid_tf.registry import METRIC_LOSSES, MODELS

OutputName = Literal["identity", "embedding"]
Grid = tuple[int, int]


LOSS = ComponentOf(METRIC_LOSSES, {"name": "pose_triplet"}, without=("reduction",))


@MODELS.register("joint_loss", renamed={"triplet": "metric_loss"})
def joint_loss(
    backbone: keras.Model,
    num_identities: int,
    *,
    outputs: tuple[OutputName, ...] = ("identity", "embedding"),
    parts: bool = True,
    shared_layers: Whole = 4,
    grids: tuple[Grid, Grid, Grid] = ((13, 13), (25, 13), (25, 13)),
    branch_widths: tuple[float, float, float] = (0.5, 1.0, 1.0),
    global_dim: Count = 256,
    part_dims: tuple[Count, Count, Count] = (64, 128, 128),
    pooling: Pooling = "average",
    batch_norm_neck: bool = False,
    dropout: float = 0.5,
    classifier_dropout: float = 0.0,
    label_smoothing: float = 0.0,
    metric_loss: Annotated[OneOrMore, LOSS] = None,
) -> System:
    """Global features and those of head, trunk and lower limbs, where an image's landmarks say that these are.

    A shared lower part of the backbone sees the image; its rest sees the whole map, and
    three copies of it, with weights of their own, see what RoI pooling takes from the
    boxes of the parts. Each is pooled and projected; the four together are the
    embedding.

    Args:
        backbone: keras.Model from image to feature map, with stage ends named
            `stage<i>`.
        num_identities: int. K, the training identities.
        outputs: tuple of str. "identity", "embedding" or both; the paper's joint loss
            has both.
        parts: bool. Whether the parts are there; without them the model takes the image
            alone.
        shared_layers: int. The last stage below the parts: conv4 of `pose_inception`.
        grids: three (rows, columns), of head, trunk and lower limbs. Size of what is
            pooled from a box. The paper does not print them; these suit a map of 51 x
            23. In mixed_bfloat16 on processors with AMX give trunk and limbs at least
            11 columns: TensorFlow 2.21's unpadded strided convolution reads memory that
            nobody wrote where its result has one column and several rows, and the
            features may be NaN.
        branch_widths: three float. Channels of a part's branch, relative to the
            backbone's. The paper narrows the head.
        global_dim: int. Width of the projected global features.
        part_dims: three int. Widths of the parts' projected features.
        pooling: str. How the feature maps of the whole and of each part are pooled:
            "average", "max", or "gem" (generalised mean, the power of each learned).
        batch_norm_neck: bool. Whether there is a batch normalisation between the two
            losses. Off, as in the paper.
        dropout: float in [0, 1). Rate of the projections, which both losses see; 0.5
            in the paper.
        classifier_dropout: float in [0, 1). Rate between the embedding and the
            classifier.
        label_smoothing: float in [0, 1). Of the identity softmax.
        metric_loss: component without `reduction`, or None for `pose_triplet` with its
            defaults.

    Returns:
        `System` with those of the outputs `identity` [batch, K] and `embedding` [batch,
        dim] that are wanted, with the loss weights 1 and 1; ranked by the distance that
        the triplet loss compares (Euclidean), by the cosine after a neck.

    Raises:
        InputError: no output is wanted, there is a neck without a softmax, the backbone
            has no such stage, a grid is too small for what follows, or an option is out
            of range.

    References:
        Liu, Jiang, Zhou and Xu, Person Re-identification with Joint-loss, section III,
        tables I and II.
    """
    if not outputs:
        raise InputError(f"The model 'joint_loss' needs at least one output. Received: outputs={outputs}.")
    if batch_norm_neck and "identity" not in outputs:
        raise InputError(
            "batch_norm_neck makes the input of the identity softmax, and needs the output 'identity'. "
            f"Received: batch_norm_neck={batch_norm_neck}, outputs={outputs}."
        )
    inputs = {"image": keras.Input(backbone.input_shape[1:], name="image")}
    maps = trunk(backbone, shared_layers if parts else None)(inputs["image"])
    features = [_project(maps["features"], global_dim, "global", pooling)]
    if parts:
        inputs["part_boxes"] = keras.Input((len(PARTS), 4), name="part_boxes")
        for index, (part, grid, width, dim) in enumerate(zip(PARTS, grids, branch_widths, part_dims, strict=True)):
            inside = RoIMaxPooling(grid, name=f"{part}_roi")(maps["fork"], inputs["part_boxes"][:, index])
            features.append(_project(branch(backbone, shared_layers, grid, width, part)(inside), dim, part, pooling))
    if not 0 <= dropout < 1:
        raise InputError(f"dropout must be in [0, 1). Received: dropout={dropout}.")
    fused = layers.Concatenate(name="fused")(features) if parts else features[0]
    if dropout:
        fused = layers.Dropout(dropout, name="projection_dropout")(fused)
    necked = layers.BatchNormalization(center=False, name="neck")(fused) if batch_norm_neck else fused
    losses = LOSS.build(metric_loss)
    built: dict[str, Output] = {}
    if "identity" in outputs:
        probabilities = IdentityHead(num_identities, classifier_dropout)(necked, name="identity")
        built["identity"] = Output(probabilities, CrossEntropy(label_smoothing), "identity", metrics=accuracy())
    if "embedding" in outputs:
        built |= metric_outputs(fused, losses, num_identities)
    return build_system(
        "joint_loss",
        inputs,
        built,
        encoder=keras.Model(inputs, {"embedding": as_output(necked, "descriptor")}, name="encoder"),
        batches="identities" if "embedding" in outputs else "images",
        distance="cosine" if batch_norm_neck else ranking_distance(losses),
    )


def _project(feature_map: Any, dim: int, name: str, pooling: Pooling) -> Any:
    """Pools a feature map and projects it to [batch, dim]."""
    if dim < 1:
        raise InputError(f"The {name} features must have at least 1 dimension. Received: {dim}.")
    pooled = pool(feature_map, pooling, f"{name}_pool")
    return layers.Dense(dim, name=f"{name}_projection")(pooled)
