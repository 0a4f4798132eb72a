"""The multi-task network: two identity softmaxes and one verification softmax over a shared backbone, and more."""

from typing import Annotated, Literal

import keras

from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.errors import InputError
from reid_tf.losses import CrossEntropy, MaskedBinaryCrossentropy
from reid_tf.metrics import BinaryAttributeAccuracy
from reid_tf.models.embedding import Pooling, as_output, build_encoder
from reid_tf.models.heads import IdentityHead, VerificationHead, accuracy, both_images, encode_pair, metric_outputs
from reid_tf.models.output import Output, build_system
from reid_tf.models.system import System
from reid_tf.options import ComponentOf, Count, OneOrMore
from reid_tf.registry import METRIC_LOSSES, MODELS

OutputName = Literal["identity_a", "identity_b", "verification", "attributes", "embedding"]


# The first three are those of Cao's Improved Res2Net paper, section III.B; attributes are summed over some thirty.
LOSS_WEIGHTS: dict[OutputName, float] = {
    "identity_a": 0.5,
    "identity_b": 0.5,
    "verification": 1.0,
    "attributes": 0.05,
    "embedding": 1.0,
}
# Unit length, because images are ranked by the cosine.
LOSS = ComponentOf(METRIC_LOSSES, {"name": "triplet", "normalize": True}, without=("reduction",))


@MODELS.register("multitask", renamed={"triplet": "metric_loss"})
def multitask(
    backbone: keras.Model,
    num_identities: int,
    attribute_schema: AttributeSchema | None = None,
    *,
    outputs: tuple[OutputName, ...] = ("identity_a", "identity_b", "verification"),
    embedding_dim: Count | None = 4096,
    pooling: Pooling = "average",
    batch_norm_neck: bool = False,
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
    metric_loss: Annotated[OneOrMore, LOSS] = None,
) -> System:
    """Identification and verification together, on pairs of images; attributes and a triplet loss where wanted.

    Two images go through one encoder; each embedding f is classified among the training
    identities by one shared linear layer, and (f_a - f_b)^2 is classified as same or
    different. `attributes` are sigmoids on f of both images, images without labels
    masked; `embedding` is f itself of both images, for triplets among all images of the
    batch.

    Args:
        backbone: keras.Model from image to feature map.
        num_identities: int. K, the training identities.
        attribute_schema: `AttributeSchema`, or None. Needed by the output "attributes".
        outputs: tuple of str. Any of "identity_a", "identity_b", "verification",
            "attributes" and "embedding"; the paper has the first three.
        embedding_dim: int or None. Dimensions of f; 4096 as in the paper, None where
            the backbone ends in fc7 itself.
        pooling: str. How the feature map is pooled: "average", "max", or "gem"
            (generalised mean, its power learned).
        batch_norm_neck: bool. Whether f is batch-normalised. Off, as in the paper; from
            scratch it helps a lot.
        dropout: float in [0, 1). Rate between f and the classifiers. The paper names
            none; its public ancestor has 0.9.
        label_smoothing: float in [0, 1). Of the identity softmaxes.
        metric_loss: component without `reduction`, of the output "embedding", or
            several of them, see `metric_outputs`; None for `triplet` on f scaled to
            unit length, because images are ranked by the cosine.

    Returns:
        `System` with those of the outputs `identity_a`, `identity_b` [batch, K],
        `verification` [batch, 2] (same, different), `attributes` [batch, 2, binary
        targets] and `embedding` [batch, 2, dim] that are wanted, with the
        `LOSS_WEIGHTS` 0.5, 0.5, 1, 0.05 and 1. With `embedding` it wants batches of
        `identity_pairs`.

    Raises:
        InputError: no output is wanted, or attributes without labels.

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, sections 2.1 to
        2.3; the first three loss weights are those of the same authors' Improved
        Res2Net paper, section III.B.
    """
    if not outputs:
        raise InputError(f"The model 'multitask' needs at least one output. Received: outputs={outputs}.")
    if "attributes" in outputs and attribute_schema is None:
        raise InputError(
            "The output 'attributes' learns from attribute labels, and the data set has none: "
            f"attribute_schema={attribute_schema}."
        )
    num_attributes = len(attribute_schema.binary_names) if attribute_schema and "attributes" in outputs else None
    encoder = build_encoder(backbone, embedding_dim, batch_norm_neck, num_attributes, pooling)
    images, encoded = encode_pair(encoder)
    identity, verification = IdentityHead(num_identities, dropout), VerificationHead(dropout)
    built: dict[str, Output] = {}
    for name, embedding in zip(("identity_a", "identity_b"), encoded["embedding"], strict=True):
        if name in outputs:
            loss = CrossEntropy(label_smoothing)
            built[name] = Output(identity(embedding, name=name), loss, name, LOSS_WEIGHTS[name], accuracy())
    if "verification" in outputs:
        same_or_different = verification(*encoded["embedding"], name="verification")
        weight = LOSS_WEIGHTS["verification"]
        built["verification"] = Output(same_or_different, CrossEntropy(), "verification", weight, accuracy())
    if "attributes" in outputs:
        sigmoids = as_output(both_images(encoded["attributes"]), "attributes")
        built["attributes"] = Output(
            sigmoids,
            MaskedBinaryCrossentropy(),
            "binary_attributes",
            LOSS_WEIGHTS["attributes"],
            [BinaryAttributeAccuracy()],
        )
    if "embedding" in outputs:
        both = both_images(encoded["embedding"])
        built |= metric_outputs(both, LOSS.build(metric_loss), num_identities, LOSS_WEIGHTS["embedding"])
    return build_system(
        "multitask",
        images,
        built,
        encoder=encoder,
        batches="identity_pairs" if "embedding" in outputs else "pairs",
        verifier=verification.verifier(encoder.output["embedding"].shape[-1]) if "verification" in outputs else None,
        attribute_kind="binary" if "attributes" in outputs else None,
        attribute_schema=attribute_schema if "attributes" in outputs else None,
    )
