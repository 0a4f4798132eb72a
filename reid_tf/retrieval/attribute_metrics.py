"""How well a model recognises attributes: every attribute's figures and their means."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import UNKNOWN, AttributeSchema
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.retrieval.attribute_score import FIGURES, AttributeScore, json_figure, score_attribute


@dataclasses.dataclass(frozen=True)
class AttributeMetrics:
    """The figures of all attributes.

    Args:
        images: int. Images with a label for any group.
        attributes: tuple of `AttributeScore`. One per binary attribute, in the order of
            `schema.binary_names`.
        groups: tuple of `AttributeScore`. One per group.
    """

    images: int
    attributes: tuple[AttributeScore, ...]
    groups: tuple[AttributeScore, ...]

    def mean(self, figure: str, of: str = "attributes") -> float:
        """Averages a figure over the attributes, or groups, whose labels hold two classes or more.

        Args:
            figure: str. One of `FIGURES`.
            of: "attributes" or "groups".

        Returns:
            float; NaN where nothing could be judged.
        """
        values = [getattr(score, figure) for score in getattr(self, of) if score.is_judged]
        return float(np.mean(values)) if values else math.nan

    def skipped(self, of: str = "attributes") -> int:
        """Returns how many attributes (or "groups") have labels of fewer than two classes and enter no mean."""
        return sum(not score.is_judged for score in getattr(self, of))

    def to_dict(self) -> dict[str, Any]:
        """Returns means, counts and every attribute's figures as JSON values: None stands for NaN."""
        result: dict[str, Any] = {"images": self.images}
        for of in ("attributes", "groups"):
            scores: tuple[AttributeScore, ...] = getattr(self, of)
            means = {
                key: json_figure(self.mean(key, of)) for key in FIGURES if key != "positive_share" or of != "groups"
            }
            result |= {f"mean_{of}": means, f"skipped_{of}": self.skipped(of)}
            result[of] = {score.name: score.to_dict() for score in scores}
        return result


def evaluate_attributes(
    schema: AttributeSchema,
    predicted: Sequence[Sequence[int]] | np.ndarray,
    truths: Sequence[Sequence[int]] | np.ndarray,
) -> AttributeMetrics:
    """Compares answers with labels, attribute by attribute.

    Answers are one class per group, whatever the model's outputs were
    (`AttributeCoding.answers()`): a sigmoid of a larger group is not cut at 0.5 by
    itself, so that models of both kinds compare. Unknown labels (-1) do not count. An
    attribute whose labels hold one class only has neither balanced accuracy nor F1; it
    enters no mean and is counted as skipped.

    Args:
        schema: `AttributeSchema`.
        predicted: int [N, groups]. Class indices answered.
        truths: int [N, groups]. Class indices labelled, -1 where unknown.

    Returns:
        `AttributeMetrics`.

    Raises:
        InputError: the shapes differ or are not [N, groups], or an index is not a class
            of its group.
    """
    predicted, truths = np.asarray(predicted), np.asarray(truths)
    _check(schema, predicted, truths)
    attributes, groups = [], []
    names = iter(schema.binary_names)
    for column, group in enumerate(schema.groups):
        known = truths[:, column] != UNKNOWN
        answers, labels = predicted[known, column], truths[known, column]
        groups.append(score_attribute(group.name, answers, labels, len(group.classes), binary=False))
        attributes += [
            score_attribute(next(names), (answers == index).astype(int), (labels == index).astype(int), 2, binary=True)
            for index in group.targets
        ]
    images = int((truths != UNKNOWN).any(axis=1).sum())
    return AttributeMetrics(images, tuple(attributes), tuple(groups))


def evaluate_records(
    coding: AttributeCoding, outputs: np.ndarray, records: Sequence[Record], schema: AttributeSchema | None
) -> AttributeMetrics | None:
    """Compares a model's attribute outputs with the labels of a data set's images.

    Args:
        coding: `AttributeCoding` of the model.
        outputs: float [N, size of the coding].
        records: sequence of N `Record`; those without attributes do not count.
        schema: `AttributeSchema` of the data set, or None where it has no attributes.

    Returns:
        `AttributeMetrics`, or None where no image is labelled.

    Raises:
        InputError: the data set's schema is another one than the model's, or the
            outputs have another shape.
    """
    if schema is None:
        return None
    check_same_schema(coding.schema, schema)
    nothing = (UNKNOWN,) * len(schema.groups)
    truths = [nothing if record.attributes is None else record.attributes for record in records]
    metrics = evaluate_attributes(schema, coding.answers(outputs), truths)
    return metrics if metrics.images else None


def check_same_schema(trained: AttributeSchema, received: AttributeSchema) -> None:
    """Raises an `InputError` that names the first group in which two schemas differ, if they do.

    Args:
        trained: `AttributeSchema` of the model.
        received: `AttributeSchema` of the data set.

    Raises:
        InputError: the schemas differ.
    """
    for place in range(max(len(trained.groups), len(received.groups))):
        of_model, of_data = (
            f"{schema.groups[place].name}: {', '.join(schema.groups[place].classes)}"
            if place < len(schema.groups)
            else "none"
            for schema in (trained, received)
        )
        if of_model != of_data:
            raise InputError(
                f"The data set's attributes are not the model's: group {place + 1} is ({of_data}), and "
                f"the model was trained on ({of_model})."
            )


def _check(schema: AttributeSchema, predicted: np.ndarray, truths: np.ndarray) -> None:
    wanted = (len(truths), len(schema.groups))
    if predicted.shape != wanted or truths.shape != wanted:
        raise InputError(
            f"Attribute answers and labels must both be [images, {len(schema.groups)}]. Received: {predicted.shape} "
            f"and {truths.shape}."
        )
    for what, values, lowest in (("answers", predicted, 0), ("labels", truths, UNKNOWN)):
        for column, group in enumerate(schema.groups):
            of_group = values[:, column]
            wrong = of_group[(of_group < lowest) | (of_group >= len(group.classes))]
            if len(wrong):
                raise InputError(
                    f"The {what} of {group.name!r} must be {lowest} to {len(group.classes) - 1}. Received: {wrong[0]}."
                )
