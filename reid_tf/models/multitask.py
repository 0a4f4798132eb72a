"""The multi-task network: two identity softmaxes and one verification softmax over a shared backbone."""

import keras

from reid_tf.losses import CrossEntropy
from reid_tf.models.encoder import build_encoder
from reid_tf.models.heads import IdentityHead, VerificationHead, accuracy, embed_pair
from reid_tf.models.system import System
from reid_tf.registry import MODELS


@MODELS.register("multitask")
def multitask(
    backbone: keras.Model,
    num_identities: int,
    *,
    embedding_dim: int | None = 4096,
    batch_norm_neck: bool = False,
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
) -> System:
    """Identification and verification together, on pairs of images.

    Two images go through one encoder; each embedding f is classified among the training identities by one shared
    linear layer, and (f_a - f_b)^2 is classified as same or different. Loss weights 0.5, 0.5 and 1.

    Args:
        backbone: keras.Model from image to feature map.
        num_identities: int. K, the training identities.
        embedding_dim: int or None. Dimensions of f; 4096 as in the paper, None where the backbone ends in fc7 itself.
        batch_norm_neck: bool. Whether f is batch-normalised. Off, as in the paper; from scratch it helps much.
        dropout: float in [0, 1). Rate between f and the classifiers. The paper names none; its public ancestor has 0.9.
        label_smoothing: float in [0, 1). Of the identity softmaxes.

    Returns:
        `System` with the outputs `identity_a`, `identity_b` [batch, K] and `verification` [batch, 2] (same, different).

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, sections 2.1 to 2.3; the loss weights are those of
        the same authors' Improved Res2Net paper, section III.B.
    """
    encoder = build_encoder(backbone, embedding_dim, batch_norm_neck)
    images, embedding_a, embedding_b = embed_pair(encoder)
    identity, verification = IdentityHead(num_identities, dropout), VerificationHead(dropout)
    outputs = {
        "identity_a": identity(embedding_a, name="identity_a"),
        "identity_b": identity(embedding_b, name="identity_b"),
        "verification": verification(embedding_a, embedding_b, name="verification"),
    }
    return System(
        model=keras.Model(images, outputs, name="multitask"),
        encoder=encoder,
        inputs={"image": "image"},
        losses={
            "identity_a": CrossEntropy(label_smoothing),
            "identity_b": CrossEntropy(label_smoothing),
            "verification": CrossEntropy(),
        },
        loss_weights={"identity_a": 0.5, "identity_b": 0.5, "verification": 1.0},
        metrics={output: accuracy() for output in outputs},
        targets={"identity_a": "identity_a", "identity_b": "identity_b", "verification": "different"},
        batches="pairs",
        verifier=verification.verifier(embedding_a.shape[-1]),
    )
