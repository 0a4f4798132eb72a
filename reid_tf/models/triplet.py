"""The triplet network: embeddings of one person lie together; an identity softmax may help."""

from typing import Annotated, Literal

import keras

from reid_tf.errors import InputError
from reid_tf.losses import CrossEntropy
from reid_tf.models.embedding import EmbeddingLayer, Pooling, as_output, embed_features
from reid_tf.models.heads import IdentityHead, accuracy, metric_outputs, ranking_distance
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import ComponentOf, Count, OneOrMore
from reid_tf.registry import METRIC_LOSSES, MODELS

LOSS = ComponentOf(METRIC_LOSSES, {"name": "triplet"})


@MODELS.register("triplet", renamed={"triplet": "metric_loss"})
def triplet(
    backbone: keras.Model,
    num_identities: int,
    *,
    embedding_dim: Count | None = None,
    embedding_layer: EmbeddingLayer = "linear",
    pooling: Pooling = "average",
    batch_norm_neck: bool = False,
    identity: bool = False,
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
    metric_loss: Annotated[OneOrMore, LOSS] = None,
) -> System:
    """Metric learning on batches of P identities x K images, alone or beside a softmax over the identities.

    With a neck the metric loss compares the features before it, and the softmax and the
    ranking see those after it.

    Args:
        backbone: keras.Model from image to feature map.
        num_identities: int. K, the training identities.
        embedding_dim: int or None. Width of a projection; None takes the backbone's own
            pooled features.
        embedding_layer: "linear", or "batch_norm_relu" for a batch normalisation and a
            ReLU after the projection.
        pooling: str. How the feature map is pooled: "average", "max", or "gem"
            (generalised mean, its power learned).
        batch_norm_neck: bool. Whether there is a batch normalisation between the two
            losses, which makes them agree.
        identity: bool. Whether the softmax is there.
        dropout: float in [0, 1). Rate before the identity classifier.
        label_smoothing: float in [0, 1). Of the identity softmax.
        metric_loss: component, several of them, or None for `triplet` with its
            defaults. The reduction "sum" of the first holds for the softmax too.

    Returns:
        `System` with the output `embedding` [batch, dim], or those that
        `metric_outputs` names for other metric losses, and, where wanted, `identity`
        [batch, K], each with weight 1; ranked by the distance that the first metric
        loss compares, by the cosine after a neck.

    Raises:
        InputError: there is a neck without a softmax, or an option is out of range.

    References:
        Hermans, Beyer and Leibe, In Defense of the Triplet Loss for Person
        Re-Identification; Luo et al., Bag of Tricks and a Strong Baseline for Deep
        Person Re-identification (both losses and the neck).
    """
    if batch_norm_neck and not identity:
        raise InputError(
            "batch_norm_neck comes between the triplet loss and the identity softmax, and needs both. "
            f"Received: batch_norm_neck={batch_norm_neck}, identity={identity}."
        )
    image = keras.Input(backbone.input_shape[1:], name="image")
    features, necked = embed_features(backbone(image), embedding_dim, batch_norm_neck, embedding_layer, pooling)
    losses = LOSS.build(metric_loss)
    outputs = metric_outputs(features, losses, num_identities)
    if identity:
        probabilities = IdentityHead(num_identities, dropout)(necked, name="identity")
        reduction: Literal["mean", "sum"] = "sum" if losses[0].reduction == "sum" else "mean"
        cross_entropy = CrossEntropy(label_smoothing, reduction)
        outputs["identity"] = Output(probabilities, cross_entropy, "identity", metrics=accuracy())
    return build_system(
        "triplet",
        {"image": image},
        outputs,
        encoder=keras.Model({"image": image}, {"embedding": as_output(necked, "descriptor")}, name="encoder"),
        batches="identities",
        distance="cosine" if batch_norm_neck else ranking_distance(losses),
    )
