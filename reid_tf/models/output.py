"""One output of a model with everything that belongs to it, so that no two lists can disagree."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from reid_tf.models.system import System


@dataclasses.dataclass(frozen=True)
class Output:
    """A named output, what it learns from and how it is watched.

    Args:
        tensor: float32 [batch, ...]. The output of a layer that bears the output's
            name.
        loss: keras loss.
        target: str. A label of the batch.
        weight: float. Of its loss in the sum.
        metrics: list of keras metrics.
    """

    tensor: Any
    loss: keras.losses.Loss
    target: str
    weight: float = 1.0
    metrics: list[keras.metrics.Metric] = dataclasses.field(default_factory=list)


def build_system(name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Output], **rest: Any) -> System:
    """Makes the training graph and the `System` around it.

    Args:
        name: str. Of the training graph.
        inputs: mapping from name to the graph's input tensor, named after the record
            fields that they take; of pairs each twice, with `_a` and `_b` at the end.
        outputs: mapping from name to `Output`.
        **rest: fields of `System` that are not of single outputs: `encoder`, `batches`,
            `distance`, ...

    Returns:
        `System`.
    """
    fields = {key.removesuffix("_a") for key in inputs if not key.endswith("_b")}
    return System(
        model=keras.Model(dict(inputs), {key: output.tensor for key, output in outputs.items()}, name=name),
        inputs={field: field for field in sorted(fields)},
        losses={key: output.loss for key, output in outputs.items()},
        loss_weights={key: output.weight for key, output in outputs.items()},
        metrics={key: output.metrics for key, output in outputs.items()},
        targets={key: output.target for key, output in outputs.items()},
        **rest,
    )
