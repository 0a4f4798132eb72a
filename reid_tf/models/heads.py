"""Heads that several systems put on an embedding, and the losses and metrics that go with them."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from reid_tf.datasets.record import SAME
from reid_tf.errors import InputError
from reid_tf.layers.pairs import SplitPairs, StackPairs
from reid_tf.layers.square_difference import SquareDifference
from reid_tf.losses import TripletLoss
from reid_tf.losses.class_head import ClassHeadLoss
from reid_tf.metrics import triplet_metrics
from reid_tf.models.embedding import as_output
from reid_tf.models.output import Output


class IdentityHead:
    """Dropout, one linear classifier over the training identities, softmax; shared by all its calls.

    Args:
        num_identities: int. K, the training identities.
        dropout: float in [0, 1). Rate before the classifier.

    Raises:
        InputError: the rate is out of range, or there is no identity.
    """

    def __init__(self, num_identities: int, dropout: float) -> None:
        if num_identities < 1:
            raise InputError(f"num_identities must be at least 1. Received: num_identities={num_identities}.")
        self._dropout = _dropout(dropout, "identity_dropout")
        self._classifier = layers.Dense(num_identities, name="identity_classifier")

    def __call__(self, embedding: Any, name: str) -> Any:
        """Returns the identity probabilities float32 [batch, K] of an embedding, under an output's name."""
        logits = self._classifier(self._dropout(embedding))
        return layers.Activation("softmax", dtype="float32", name=name)(logits)


class VerificationHead:
    """The classes (same, different), in this order: square layer, one linear classifier, softmax.

    Args:
        dropout: float in [0, 1). Rate before the classifier.

    Raises:
        InputError: the rate is out of range.
    """

    def __init__(self, dropout: float) -> None:
        self._square = SquareDifference(name="square_difference")
        self._dropout = _dropout(dropout, "verification_dropout")
        # From zero, where both answers are equally likely: squared differences are large and all positive, and random
        # weights on them would begin with confident nonsense.
        self._classifier = layers.Dense(2, kernel_initializer="zeros", name="verification_classifier")

    def __call__(self, embedding_a: Any, embedding_b: Any, name: str) -> Any:
        """Returns the probabilities float32 [batch, 2] of (same, different), under an output's name."""
        logits = self._classifier(self._dropout(self._square(embedding_a, embedding_b)))
        return layers.Activation("softmax", dtype="float32", name=name)(logits)

    def verifier(self, dim: int) -> keras.Model:
        """The head on its own: two embeddings to the probability that they are one person.

        Args:
            dim: int. Width of the embeddings.

        Returns:
            keras.Model from {"embedding_a", "embedding_b"}, float [batch, dim], to
            {"probability": float32 [batch, 1]}.
        """
        embeddings = {name: keras.Input((dim,), name=name) for name in ("embedding_a", "embedding_b")}
        both = self(embeddings["embedding_a"], embeddings["embedding_b"], name="verification")
        same = layers.Activation("linear", dtype="float32", name="probability")(both[:, SAME : SAME + 1])
        return keras.Model(embeddings, {"probability": same}, name="verifier")


def _dropout(rate: float, name: str) -> keras.layers.Layer:
    if not 0.0 <= rate < 1.0:
        raise InputError(f"dropout must be in [0, 1). Received: dropout={rate}.")
    return layers.Dropout(rate, name=name)


def encode_pair(encoder: keras.Model) -> tuple[dict[str, Any], dict[str, tuple[Any, Any]]]:
    """Wires a Siamese pair: two image inputs through one encoder, in one call.

    Args:
        encoder: keras.Model from {"image"} to {"embedding"}, or more outputs.

    Returns:
        The inputs by name (`image_a`, `image_b`), and each output's two tensors [batch,
        ...].
    """
    shape = encoder.input_shape[1:]
    images = {name: keras.Input(shape, name=name) for name in ("image_a", "image_b")}
    stacked = StackPairs(name="stack_pairs", dtype="float32")(*images.values())  # [2 batch, height, width, 3]
    outputs = encoder({"image": stacked})  # [2 batch, ...]
    split = {key: SplitPairs(name=f"split_{key}", dtype="float32")(value) for key, value in outputs.items()}
    return images, split


def both_images(pair: tuple[Any, Any]) -> Any:
    """Returns the two tensors [batch, ...] of a pair as one [batch, 2, ...]."""
    return keras.ops.stack(pair, axis=1)


def accuracy() -> list[keras.metrics.Metric]:
    """The metric of a softmax head: how often the likeliest class is the true one."""
    return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


def metric_outputs(
    embedding: Any, losses: Sequence[keras.losses.Loss], num_identities: int, weight: float = 1.0
) -> dict[str, Output]:
    """An embedding as the outputs of metric losses, one for each, so that each has a weight of its own.

    A loss that compares the images of a batch takes the embedding itself, under the
    name `embedding`, or `embedding_NAME` after the first; one that has a vector for
    each training person (ArcFace, centre) takes the comparison with those, under the
    name `identity_NAME`.

    Args:
        embedding: float [batch, dim] or [batch, 2, dim].
        losses: keras losses, such as `METRIC_LOSSES` makes. The attribute `label` of
            one may say what it takes instead of the identity.
        num_identities: int. The training people.
        weight: float. Of each loss.

    Returns:
        dict from name to `Output`; a triplet loss is watched by `triplet_metrics`.
    """
    outputs: dict[str, Output] = {}
    for loss in losses:
        if isinstance(loss, ClassHeadLoss):
            name, tensor = f"identity_{loss.name}", loss.head(num_identities)(embedding)
        else:
            name, tensor = "embedding" if "embedding" not in outputs else f"embedding_{loss.name}", embedding
        watched = triplet_metrics(loss) if isinstance(loss, TripletLoss) else []
        outputs[name] = Output(as_output(tensor, name), loss, getattr(loss, "label", "identity"), weight, watched)
    return outputs


def ranking_distance(losses: Sequence[keras.losses.Loss]) -> str:
    """The retrieval distance that ranks as the first metric loss compares; the cosine, where it does not say."""
    distance: str = getattr(losses[0], "ranking_distance", "cosine")
    return distance
