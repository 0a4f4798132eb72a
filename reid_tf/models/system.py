"""A system: everything that training and retrieval need to know of a model."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import keras

from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.errors import InputError
from reid_tf.options import unknown

# A sampler may feed a model whose own sampler is another one, where the batches have the same form.
COMPATIBLE_BATCHES = {
    "images": ("images", "identities"),
    "pairs": ("pairs", "identity_pairs"),
    "identities": ("identities",),
    "identity_pairs": ("identity_pairs",),
}


@dataclasses.dataclass(frozen=True, repr=False)
class System:
    """A model with what it learns from and what stays of it.

    `losses`, `loss_weights` and `targets` have exactly the keys of the model's outputs,
    which is checked here: Keras matches wrong keys by their sorted position and says
    nothing, so that two heads can learn each other's labels.

    Args:
        model: keras.Model. Named inputs to a dict of named outputs, for training.
        encoder: keras.Model or None. The branch kept at test time: inputs to
            {"embedding": float32 [batch, dim]} and, where `attribute_kind` says so,
            {"attributes": float32 [batch, targets]}.
        inputs: mapping. The encoder's input names to the record's fields; where batches
            are pairs, the model's own inputs are these with `_a` and `_b` at the end.
        losses: mapping from output to keras loss.
        loss_weights: mapping from output to float.
        metrics: mapping from output to a list of keras metrics.
        targets: mapping from output to a label of the batch ("identity_a",
            "verification").
        batches: str. The sampler it wants: "images", "pairs", "identities" or
            "identity_pairs".
        distance: str. What its embeddings are ranked with: "cosine", "euclidean" or
            "mean_squared".
        verifier: keras.Model or None. {"embedding_a", "embedding_b"} to {"probability":
            [batch, 1]} that both show one person.
        evaluation: str. "retrieval", or "landmarks" for a pose estimator.
        attribute_kind: str or None. What the encoder's "attributes" are: "binary" for
            sigmoids, "classes" for one softmax per group; see `AttributeCoding`.
        attribute_schema: `AttributeSchema`, or None. What they say.
        combined_metrics: mapping from a name to the weights of logged values whose sum
            it is, for figures that span several outputs.
        backbone_copies: keras.Models. Parts of the backbone that the model holds a
            second time, with weights of their own; where the backbone is pre-trained,
            so are they.

    Raises:
        InputError: the keys of outputs, losses, weights, targets or metrics do not
            agree.
    """

    model: keras.Model
    encoder: keras.Model | None
    inputs: dict[str, str]
    losses: dict[str, keras.losses.Loss]
    loss_weights: dict[str, float]
    metrics: dict[str, list]
    targets: dict[str, str]
    batches: str
    distance: str = "cosine"
    verifier: keras.Model | None = None
    evaluation: str = "retrieval"
    attribute_kind: Literal["binary", "classes"] | None = None
    attribute_schema: AttributeSchema | None = None
    combined_metrics: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    backbone_copies: tuple[keras.Model, ...] = ()

    def __post_init__(self) -> None:
        outputs = set(self.model.output)
        for what in ("losses", "loss_weights", "targets"):
            keys = set(getattr(self, what))
            if keys != outputs:
                raise InputError(
                    f"The model's outputs are {sorted(outputs)}, and its {what} must name exactly these. "
                    f"Received: {sorted(keys)}."
                )
        if not set(self.metrics) <= outputs:
            raise InputError(f"Metrics can only watch the outputs {sorted(outputs)}. Received: {sorted(self.metrics)}.")

    def compile(self, optimizer: Any, **options: Any) -> keras.Model:
        """Compiles the model with the system's own losses, weights and metrics, ready for `fit`.

        Args:
            optimizer: keras optimizer, or its name.
            **options: other arguments of `keras.Model.compile`, such as `jit_compile`.

        Returns:
            The model.

        Raises:
            InputError: an argument is one that the system knows itself.
        """
        for option in ("loss", "loss_weights", "metrics"):
            if option in options:
                raise InputError(
                    f"A system knows its own {option}; change the weights with `with_loss_weights`, or compile "
                    f"`system.model` yourself. Received: {option}={options[option]!r}."
                )
        self.model.compile(optimizer, loss=self.losses, loss_weights=self.loss_weights, metrics=self.metrics, **options)
        # An optimizer that makes its variables in the first step has TensorFlow trace that step twice.
        self.model.optimizer.build(self.model.trainable_variables)
        return self.model

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the model takes.

        Raises:
            InputError: the backbone takes images of any size, and so does the model.
        """
        name = next(name for name in self.model.input if name.removesuffix("_a") == "image")
        height, width = self.model.input[name].shape[1:3]
        if height is None or width is None:
            raise InputError(
                "Give the backbone a fixed image size, such as input_shape=(256, 128, 3). "
                f"Received: {tuple(self.model.input[name].shape)}."
            )
        return int(height), int(width)

    def __repr__(self) -> str:
        outputs = (
            f"{output} {list(tensor.shape[1:])} x {self.loss_weights[output]:g}"
            for output, tensor in self.model.output.items()
        )
        return f"System({self.model.name}: {', '.join(outputs)}; batches of {self.batches}, ranked by {self.distance})"

    def with_loss_weights(self, weights: Mapping[str, float]) -> "System":
        """Returns the system with some of its loss weights replaced.

        Args:
            weights: mapping from output to float >= 0.

        Raises:
            InputError: a name is not an output of the model, or a weight is negative.
        """
        for output, weight in weights.items():
            if output not in self.loss_weights:
                raise InputError(unknown("output in loss_weights", output, self.loss_weights))
            if not weight >= 0:
                raise InputError(f"The loss weight of {output!r} must not be negative. Received: {weight}.")
        return dataclasses.replace(self, loss_weights={**self.loss_weights, **weights})

    def check_batches(self, name: str) -> None:
        """Checks that a sampler's batches have the form that the model takes.

        Args:
            name: str. The sampler's name in the configuration.

        Raises:
            InputError: the sampler gives single images where pairs are wanted, or the
                other way round.
        """
        allowed = COMPATIBLE_BATCHES[self.batches]
        if name not in allowed:
            raise InputError(
                f"The model {self.model.name!r} takes batches of {' or '.join(allowed)}. Received: {name!r}."
            )
