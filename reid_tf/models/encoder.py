"""The branch that all systems share: image -> feature map -> embedding."""

import keras
from keras import layers

from reid_tf.errors import InputError


def build_encoder(
    backbone: keras.Model, embedding_dim: int | None = None, batch_norm_neck: bool = False
) -> keras.Model:
    """Average-pools a backbone's feature map and projects it to an embedding.

    A dense layer on the pooled vector is the 1x1 convolution of the papers.

    Args:
        backbone: keras.Model from image [batch, height, width, 3] to feature map [batch, h, w, channels].
        embedding_dim: int or None. Width of the projection; None keeps the pooled vector itself.
        batch_norm_neck: bool. Whether the embedding is batch-normalised (without an offset), so that a softmax and the
            cosine distance see the same centred, evenly scaled coordinates.

    Returns:
        keras.Model from {"image"} to {"embedding": float32 [batch, dim]}.

    Raises:
        InputError: `embedding_dim` is below 1.

    References:
        Luo et al., Bag of Tricks and a Strong Baseline for Deep Person Re-identification, section 3.5 (the neck).
    """
    if embedding_dim is not None and embedding_dim < 1:
        raise InputError(
            f"embedding_dim must be at least 1, or null for the backbone's own features. Received: {embedding_dim}."
        )
    image = keras.Input(backbone.input_shape[1:], name="image")
    features = layers.GlobalAveragePooling2D(name="pool")(backbone(image))  # [batch, channels]
    if embedding_dim is not None:
        features = layers.Dense(embedding_dim, use_bias=not batch_norm_neck, name="projection")(features)
    if batch_norm_neck:
        features = layers.BatchNormalization(center=False, name="neck")(features)
    embedding = layers.Activation("linear", dtype="float32", name="embedding")(features)
    return keras.Model({"image": image}, {"embedding": embedding}, name="encoder")
