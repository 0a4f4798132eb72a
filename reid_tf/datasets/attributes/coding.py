"""How a model's attribute output is to be read: which numbers belong to which class of which group."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import numpy as np

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.schema import of_fields

Kind = Literal["binary", "classes"]


@dataclasses.dataclass(frozen=True)
class AttributeCoding:
    """A schema and the form in which a model answers it.

    Args:
        schema: `AttributeSchema`.
        kind: "binary", one sigmoid for each of `schema.binary_names`; or "classes", one
            softmax per group, one after the other in the order of the groups.

    Raises:
        InputError: the kind is unknown.
    """

    schema: AttributeSchema
    kind: Kind

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(unknown("kind of attribute outputs", self.kind, get_args(Kind)))

    @property
    def size(self) -> int:
        """Numbers in the model's output for an image."""
        if self.kind == "binary":
            return len(self.schema.binary_names)
        return sum(len(group.classes) for group in self.schema.groups)

    def class_probabilities(self, outputs: np.ndarray) -> list[np.ndarray]:
        """Spreads a model's outputs over the classes of each group.

        From sigmoids: a two-way group is p and its complement; in a larger group each
        class counts by its own sigmoid and "multi-colour" by all others being absent,
        and their sum is scaled to 1.

        Args:
            outputs: float [N, size]. In [0, 1].

        Returns:
            One float32 [N, classes] a group; rows sum to 1.

        Raises:
            InputError: the outputs have another width.
        """
        outputs = np.asarray(outputs, np.float32)
        if outputs.ndim != 2 or outputs.shape[1] != self.size:
            raise InputError(
                f"Attribute outputs of kind {self.kind!r} must be [images, {self.size}]. Received: {outputs.shape}."
            )
        widths = [len(group.targets if self.kind == "binary" else group.classes) for group in self.schema.groups]
        columns = np.split(outputs, np.cumsum(widths)[:-1], axis=1)
        if self.kind == "classes":
            return columns
        return [_from_sigmoids(group, column) for group, column in zip(self.schema.groups, columns, strict=True)]

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """Picks the likeliest class of every group.

        Args:
            outputs: float [N, size].

        Returns:
            int64 [N, groups]: class indices, as in `Record.attributes`.
        """
        return np.stack([column.argmax(axis=1) for column in self.class_probabilities(outputs)], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Returns the coding as JSON values, which `from_dict` reads."""
        groups = [{"name": group.name, "classes": list(group.classes)} for group in self.schema.groups]
        return {"kind": self.kind, "groups": groups}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "AttributeCoding":
        """Reads what `to_dict` gave.

        Args:
            values: mapping with `kind` and `groups`.

        Raises:
            InputError: a field is missing or wrong.
        """
        saved = of_fields(_Saved, values, "'attributes'")
        return cls(AttributeSchema(saved.groups), cast(Kind, saved.kind))


@dataclasses.dataclass(frozen=True)
class _Saved:
    kind: str
    groups: tuple[AttributeGroup, ...]


def _from_sigmoids(group: AttributeGroup, sigmoids: np.ndarray) -> np.ndarray:
    if len(group.classes) == 2:
        return np.concatenate([1 - sigmoids, sigmoids], axis=1)
    probabilities = np.empty((len(sigmoids), len(group.classes)), np.float32)
    probabilities[:, group.targets] = sigmoids
    for rest in set(range(len(group.classes))) - set(group.targets):  # "multi-colour"
        probabilities[:, rest] = np.prod(1 - sigmoids, axis=1)
    return probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-12)
