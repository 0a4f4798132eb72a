"""ShareNet: one trunk, and above a fork an attribute branch and a feature branch."""

import logging
from typing import Annotated, Any, Literal

import keras
from keras import layers

from reid_tf.backbones.fork import fork
from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.datasets.joint_orders import PARTS
from reid_tf.errors import InputError
from reid_tf.layers.roi_pooling import RoIMaxPooling
from reid_tf.losses import CrossEntropy, MaskedBinaryCrossentropy
from reid_tf.metrics.attribute_accuracy import BinaryAttributeAccuracy
from reid_tf.models.embedding import EmbeddingLayer, Pooling, as_output, attribute_sigmoids, pool, project
from reid_tf.models.heads import IdentityHead, accuracy, metric_outputs, ranking_distance
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import ComponentOf, Count, OneOrMore, Whole
from reid_tf.registry import METRIC_LOSSES, MODELS

logger = logging.getLogger(__name__)

# The mining of Wang and Gupta, which the paper cites: every positive pair with the four negatives of largest loss.
MINING = {"name": "triplet", "distance": "cosine", "mining": "hardest_negatives", "margin": 0.5, "hardest": 4}
LOSS = ComponentOf(METRIC_LOSSES, MINING, without=("reduction",))


@MODELS.register("sharenet", renamed={"triplet": "metric_loss"})
def sharenet(
    backbone: keras.Model,
    num_identities: int,
    attribute_schema: AttributeSchema | None = None,
    *,
    shared_layers: Whole | None = None,
    embedding_dim: Count = 1024,
    embedding_layer: EmbeddingLayer = "linear",
    pooling: Pooling = "average",
    alpha: float = 0.05,
    reduction: Literal["mean", "sum"] = "sum",
    identity: bool = False,
    attribute_parts: bool = False,
    part_grid: tuple[Count, Count] = (3, 3),
    metric_loss: Annotated[OneOrMore, LOSS] = None,
) -> System:
    """Attributes and a triplet embedding together: total loss = triplet + alpha * attributes.

    Where the data set has no attribute labels, the attribute branch is left out and the
    log says so: what remains is the triplet network.

    Args:
        backbone: keras.Model from image to feature map.
        num_identities: int. K, the training identities.
        attribute_schema: `AttributeSchema`, or None. Its binary targets are the
            attributes.
        shared_layers: int or None. The backbone's stages below the fork: 5, 6 or 7 of
            CaffeNet are the paper's ShareNet-5, -6 and -7; None shares the whole
            backbone, as with ResNet-50.
        embedding_dim: int. Width of the feature branch's own last layer; the paper
            gives 1024 for ResNet-50 only.
        embedding_layer: "linear" (CaffeNet) or "batch_norm_relu" (ResNet-50). What the
            feature branch ends in.
        pooling: str. How the feature maps of both branches are pooled: "average",
            "max", or "gem" (generalised mean, the power of each learned).
        alpha: float >= 0. Weight of the attributes, where `loss_weights` names none:
            0.01 for CaffeNet and 0.05 for ResNet-50 in the paper. Both belong to
            `reduction="sum"` on one device.
        reduction: "sum" over triplets, images and attributes, as the paper's equation
            has it; or "mean" over triplets and over images (an image's attributes are
            summed), whose size does not depend on the batch. A batch has several
            triplets per image, so that the same balance takes an alpha several times
            smaller.
        identity: bool. Whether the paper's classifier over the training identities is
            put on the embedding, with weight 1 unless `loss_weights` says otherwise.
        attribute_parts: bool. Whether the attributes are read from head, trunk and lower
            limbs too: the shared map is pooled in the boxes that an image's landmarks
            give, and the classifier sees that beside the whole image's features. The
            paper names attributes from regions as its future work and gives no network;
            this one is ours. The encoder then takes part boxes, as that of `joint_loss`
            does.
        part_grid: (rows, columns). Cells of a part's box whose maxima are pooled.
        metric_loss: component without `reduction`, or None for the triplet loss with
            Wang and Gupta's mining (cosine distance, margin 0.5, the four negatives of
            largest loss), whose options a component without a name changes.

    Returns:
        `System` with the outputs `embedding` [batch, embedding_dim], `attributes`
        [batch, binary targets] and, where wanted, `identity` [batch, K].

    Raises:
        InputError: `alpha` is negative, the backbone has no such stage, the grid has no
            cell, or the shared map has no places left of which one could be a part's
            (AlexNet's after fc6 and fc7).

    References:
        Agrawal and Namboodiri, Joint Attribute Learning for Deep Person
        Re-Identification, sections III.D, IV.C and VI.
    """
    if not alpha >= 0:
        raise InputError(f"alpha must not be negative. Received: alpha={alpha}.")
    inputs = {"image": keras.Input(backbone.input_shape[1:], name="image")}
    forked = fork(backbone, shared_layers)
    feature_map, attribute_map, shared_map = forked.with_shared(inputs["image"])
    embedding = project(pool(feature_map, pooling), embedding_dim, embedding_layer)
    losses = LOSS.build(metric_loss, reduction=reduction)
    outputs = metric_outputs(embedding, losses, num_identities)
    if attribute_schema is None:
        logger.warning("The data set has no attribute labels: without them ShareNet is the triplet network.")
    else:
        pooled = pool(attribute_map, pooling, "attribute_pool")
        if attribute_parts:
            inputs["part_boxes"] = keras.Input((len(PARTS), 4), name="part_boxes")
            parts = _pool_parts(shared_map, inputs["part_boxes"], part_grid, pooling)
            pooled = layers.Concatenate(name="attribute_features")([pooled, *parts])
        sigmoids = attribute_sigmoids(pooled, len(attribute_schema.binary_names))
        outputs["attributes"] = Output(
            sigmoids, MaskedBinaryCrossentropy(reduction), "binary_attributes", alpha, [BinaryAttributeAccuracy()]
        )
    encoded = {"embedding": as_output(embedding, "descriptor")} | {
        key: output.tensor for key, output in outputs.items() if key == "attributes"
    }
    if identity:
        probabilities = IdentityHead(num_identities, dropout=0.0)(embedding, name="identity")
        outputs["identity"] = Output(probabilities, CrossEntropy(reduction=reduction), "identity", metrics=accuracy())
    return build_system(
        "sharenet",
        inputs,
        outputs,
        encoder=keras.Model(inputs, encoded, name="encoder"),
        batches="identities",
        distance=ranking_distance(losses),
        attribute_kind=None if attribute_schema is None else "binary",
        attribute_schema=attribute_schema,
        backbone_copies=() if forked.top is None or attribute_schema is None else (forked.top,),
    )


def _pool_parts(shared_map: Any, part_boxes: Any, grid: tuple[int, int], pooling: Pooling) -> list[Any]:
    """Pools a map [batch, h, w, channels] in each part's box to [batch, channels]."""
    if shared_map.shape[1] == shared_map.shape[2] == 1:
        raise InputError(
            "attribute_parts needs a shared map of several places, and the last shared stage leaves one: share fewer "
            f"stages (AlexNet: shared_layers=5). Received: a map of {tuple(shared_map.shape[1:])}."
        )
    return [
        pool(RoIMaxPooling(grid, name=f"{part}_roi")(shared_map, part_boxes[:, index]), pooling, f"{part}_pool")
        for index, part in enumerate(PARTS)
    ]
