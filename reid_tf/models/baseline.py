"""The identification baseline: whose image is it?"""

import keras

from reid_tf.losses import CrossEntropy
from reid_tf.models.embedding import Pooling, build_encoder
from reid_tf.models.heads import IdentityHead, accuracy
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import Count
from reid_tf.registry import MODELS


@MODELS.register("baseline")
def baseline(
    backbone: keras.Model,
    num_identities: int,
    *,
    embedding_dim: Count | None = None,
    pooling: Pooling = "average",
    batch_norm_neck: bool = False,
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
) -> System:
    """Identification alone, on single images: a softmax over the training identities.

    Args:
        backbone: keras.Model from image to feature map.
        num_identities: int. K, the training identities.
        embedding_dim: int or None. Width of a projection before the classifier; None
            classifies the backbone's own features, as a fine-tuned classification
            network does.
        pooling: str. How the feature map is pooled: "average", "max", or "gem"
            (generalised mean, its power learned).
        batch_norm_neck: bool. Whether the embedding is batch-normalised.
        dropout: float in [0, 1). Rate before the classifier.
        label_smoothing: float in [0, 1).

    Returns:
        `System` with the output `identity` [batch, K].

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, table 2, rows 1 to
        3.
    """
    encoder = build_encoder(backbone, embedding_dim, batch_norm_neck, pooling=pooling)
    image = keras.Input(encoder.input_shape[1:], name="image")
    head = IdentityHead(num_identities, dropout)
    probabilities = head(encoder({"image": image})["embedding"], name="identity")
    outputs = {"identity": Output(probabilities, CrossEntropy(label_smoothing), "identity", metrics=accuracy())}
    return build_system("baseline", {"image": image}, outputs, encoder=encoder, batches="images")
