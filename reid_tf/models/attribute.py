"""The attribute network: what a person wears, and from that and the features who it is."""

import keras
from keras import layers

from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.errors import InputError
from reid_tf.layers.attribute_reweighting import AttributeReweighting
from reid_tf.losses import CrossEntropy, GroupCrossEntropy
from reid_tf.metrics.attribute_accuracy import GroupAccuracy
from reid_tf.models.embedding import Pooling, as_output, pool, project
from reid_tf.models.heads import IdentityHead, accuracy
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import Count
from reid_tf.registry import MODELS


@MODELS.register("attribute")
def attribute(
    backbone: keras.Model,
    num_identities: int,
    attribute_schema: AttributeSchema | None = None,
    *,
    feature_dim: Count = 512,
    pooling: Pooling = "average",
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
) -> System:
    """One softmax for each attribute group, re-weighted and joined with the features for the identity softmax.

    The joined vector is also what images are ranked by: features and re-weighted
    attributes, 512 + 41 for Market-1501's groups. Where the paper says "layer
    normalisation" of ResNet-50, it has the batch normalisation of the network that it
    took.

    Args:
        backbone: keras.Model from image to feature map.
        num_identities: int. K, the training identities.
        attribute_schema: `AttributeSchema`. One softmax head per group.
        feature_dim: int. Width of the layer after the backbone.
        pooling: str. How the feature map is pooled: "average", "max", or "gem"
            (generalised mean, its power learned).
        dropout: float in [0, 1). Rate before the identity classifier.
        label_smoothing: float in [0, 1). Of the identity softmax.

    Returns:
        `System` with the outputs `identity` [batch, K] and `attributes` [batch, classes
        of all groups], each with weight 1; `joint_accuracy` in its logs is an image's
        right attributes and identity over all of them, averaged (where labels are
        missing, the mean of the two accuracies with these weights). Ranked by the mean
        squared distance.

    Raises:
        InputError: the data set has no attribute labels, or `feature_dim` is below 1.

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, sections 3.2 to 3.5; Lin et al., Improving Person
        Re-identification by Attribute and Identity Learning.
    """
    if attribute_schema is None:
        raise InputError(
            "The model 'attribute' learns from attribute labels, and the data set has none: "
            f"attribute_schema={attribute_schema}."
        )
    groups = attribute_schema.groups
    sizes = tuple(len(group.classes) for group in groups)
    image = keras.Input(backbone.input_shape[1:], name="image")
    features = pool(backbone(image), pooling)
    features = project(features, feature_dim, "batch_norm_relu")
    softmaxes = [
        layers.Activation("softmax", dtype="float32", name=f"attribute{group}_softmax")(
            layers.Dense(size, name=f"attribute{group}_classifier")(features)
        )
        for group, size in enumerate(sizes)
    ]
    predictions = layers.Concatenate(dtype="float32", name="predictions")(softmaxes)  # [batch, classes of all groups]
    reweighted = AttributeReweighting(dtype="float32", name="reweighting")(predictions)
    embedding = layers.Concatenate(dtype="float32", name="joined")([features, reweighted])
    encoded = {"embedding": as_output(embedding, "embedding"), "attributes": as_output(predictions, "attributes")}
    probabilities = IdentityHead(num_identities, dropout)(embedding, name="identity")
    outputs = {
        "identity": Output(probabilities, CrossEntropy(label_smoothing), "identity", metrics=accuracy()),
        "attributes": Output(
            encoded["attributes"], GroupCrossEntropy(sizes), "attributes", metrics=[GroupAccuracy(sizes)]
        ),
    }
    share = 1 / (len(groups) + 1)  # of each group, and of the identity, in an image's accuracy
    return build_system(
        "attribute",
        {"image": image},
        outputs,
        encoder=keras.Model({"image": image}, encoded, name="encoder"),
        batches="images",
        distance="mean_squared",
        attribute_kind="classes",
        attribute_schema=attribute_schema,
        combined_metrics={"joint_accuracy": {"attributes_accuracy": 1 - share, "identity_accuracy": share}},
    )
