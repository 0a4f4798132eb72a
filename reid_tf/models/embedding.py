"""The branch that all systems share: image -> feature map -> embedding."""

from typing import Any, Literal

import keras
from keras import layers

from reid_tf.errors import InputError
from reid_tf.layers.gem_pooling import GeneralizedMeanPooling
from reid_tf.layers.stripe_pooling import StripePooling
from reid_tf.options import unknown

EmbeddingLayer = Literal["linear", "batch_norm_relu"]
Pooling = Literal["average", "max", "gem", "stripes"]


def build_encoder(
    backbone: keras.Model,
    embedding_dim: int | None = None,
    batch_norm_neck: bool = False,
    num_attributes: int | None = None,
    pooling: Pooling = "average",
) -> keras.Model:
    """Pools a backbone's feature map, projects it to an embedding and predicts attributes from that.

    Args:
        backbone: keras.Model from image [batch, height, width, 3] to feature map
            [batch, h, w, channels].
        embedding_dim: int or None. Width of the projection; None keeps the pooled
            vector itself.
        batch_norm_neck: bool. Whether the embedding is batch-normalised, see
            `embed_features`.
        num_attributes: int or None. Sigmoid outputs; None predicts no attributes.
        pooling: str. See `pool`.

    Returns:
        keras.Model from {"image"} to {"embedding": float32 [batch, dim]} and, where
        wanted, {"attributes": float32 [batch, num_attributes]}.

    Raises:
        InputError: `embedding_dim` is below 1.
    """
    image = keras.Input(backbone.input_shape[1:], name="image")
    _, necked = embed_features(backbone(image), embedding_dim, batch_norm_neck, pooling=pooling)
    outputs = {"embedding": as_output(necked, "embedding")}
    if num_attributes is not None:
        outputs["attributes"] = attribute_sigmoids(necked, num_attributes)
    return keras.Model({"image": image}, outputs, name="encoder")


def embed_features(
    feature_map: Any,
    embedding_dim: int | None,
    batch_norm_neck: bool,
    embedding_layer: EmbeddingLayer = "linear",
    pooling: Pooling = "average",
) -> tuple[Any, Any]:
    """Pools a feature map and projects it; a dense layer on the pooled vector is the 1x1 convolution of the papers.

    Args:
        feature_map: float [batch, h, w, channels].
        embedding_dim: int or None. Width of the projection; None keeps the pooled
            vector itself.
        batch_norm_neck: bool. Whether a batch normalisation (without an offset)
            follows, so that a softmax and the cosine distance see the same centred,
            evenly scaled coordinates.
        embedding_layer: "linear" or "batch_norm_relu". Kind of the projection, see
            `project`.
        pooling: str. See `pool`.

    Returns:
        The features [batch, dim] before and after the neck; without a neck the same
        twice.

    Raises:
        InputError: `embedding_dim` is below 1, or a layer is wanted without one.

    References:
        Luo et al., Bag of Tricks and a Strong Baseline for Deep Person
        Re-identification, section 3.5 (the neck).
    """
    features = pool(feature_map, pooling)
    if embedding_dim is not None:
        features = project(features, embedding_dim, embedding_layer, use_bias=not batch_norm_neck)
    elif embedding_layer != "linear":
        raise InputError(
            f"embedding_layer={embedding_layer!r} needs an embedding_dim. Received: embedding_dim={embedding_dim}."
        )
    if not batch_norm_neck:
        return features, features
    return features, layers.BatchNormalization(center=False, name="neck")(features)


def pool(feature_map: Any, kind: Pooling, name: str = "pool") -> Any:
    """Pools a feature map over its places.

    Args:
        feature_map: float [batch, h, w, channels].
        kind: "average", "max", "gem" for the generalised mean with a power that is
            learned (from a map that is nowhere negative, see `generalized_mean`), or
            "stripes" for the averages of four horizontal stripes.
        name: str. Of the layer.

    Returns:
        float [batch, channels], with "stripes" [batch, 4 * channels].

    Raises:
        InputError: there is no such kind, this is not a feature map, or it has fewer
            rows than stripes.
    """
    kinds = {
        "average": layers.GlobalAveragePooling2D,
        "max": layers.GlobalMaxPooling2D,
        "gem": GeneralizedMeanPooling,
        "stripes": StripePooling,
    }
    if kind not in kinds:
        raise InputError(unknown("pooling", kind, kinds))
    if len(feature_map.shape) != 4:
        raise InputError(
            "A backbone must end in a feature map [batch, height, width, channels]: leave out its own pooling and "
            f"classifier (include_top=False). Received: an output of shape {tuple(feature_map.shape)}."
        )
    return kinds[kind](name=name)(feature_map)


def project(features: Any, dim: int, kind: EmbeddingLayer = "linear", use_bias: bool = True) -> Any:
    """Projects features to an embedding.

    Args:
        features: float [batch, any].
        dim: int. Width of the embedding.
        kind: "linear", or "batch_norm_relu" for a batch normalisation and a ReLU after
            it.
        use_bias: bool. Of the linear kind; the other needs none.

    Returns:
        float [batch, dim].

    Raises:
        InputError: `dim` is below 1.
    """
    if dim < 1:
        raise InputError(f"The dimensions of an embedding must be at least 1. Received: {dim}.")
    projected = layers.Dense(dim, use_bias=use_bias and kind == "linear", name="projection")(features)
    if kind == "linear":
        return projected
    return layers.ReLU(name="projection_relu")(layers.BatchNormalization(name="projection_bn")(projected))


def attribute_sigmoids(features: Any, num_attributes: int) -> Any:
    """Returns the attribute probabilities float32 [batch, num_attributes] of features [batch, dim]."""
    logits = layers.Dense(num_attributes, name="attribute_classifier")(features)
    return layers.Activation("sigmoid", dtype="float32", name="attributes")(logits)


def as_output(tensor: Any, name: str) -> Any:
    """Returns a tensor in float32 under an output's name."""
    return layers.Activation("linear", dtype="float32", name=name)(tensor)
