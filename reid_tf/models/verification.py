"""The verification baseline: are two images of one person?"""

import keras

from reid_tf.losses import CrossEntropy
from reid_tf.models.embedding import Pooling, build_encoder
from reid_tf.models.heads import VerificationHead, accuracy, encode_pair
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import Count
from reid_tf.registry import MODELS


@MODELS.register("verification")
def verification(
    backbone: keras.Model,
    *,
    embedding_dim: Count | None = 4096,
    pooling: Pooling = "average",
    batch_norm_neck: bool = False,
    dropout: float = 0.0,
) -> System:
    """Verification alone, on pairs of images: weak labels, no identity classes.

    Args:
        backbone: keras.Model from image to feature map.
        embedding_dim: int or None. Dimensions of f; None where the backbone ends in fc7
            itself.
        pooling: str. How the feature map is pooled: "average", "max", or "gem"
            (generalised mean, its power learned).
        batch_norm_neck: bool. Whether f is batch-normalised.
        dropout: float in [0, 1). Rate between the square layer and its classifier.

    Returns:
        `System` with the output `verification` [batch, 2]: the probabilities that both
        images show the same person, and that they show different people, in this order.

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, section 2.3 and
        table 1, first row.
    """
    encoder = build_encoder(backbone, embedding_dim, batch_norm_neck, pooling=pooling)
    images, encoded = encode_pair(encoder)
    head = VerificationHead(dropout)
    outputs = {
        "verification": Output(
            head(*encoded["embedding"], name="verification"), CrossEntropy(), "verification", metrics=accuracy()
        )
    }
    return build_system(
        "verification_baseline",
        images,
        outputs,
        encoder=encoder,
        batches="pairs",
        verifier=head.verifier(encoder.output["embedding"].shape[-1]),
    )
