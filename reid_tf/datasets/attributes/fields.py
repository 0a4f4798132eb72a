"""How the published label files spell a schema: a field of its own for a group, or one yes/no field for each colour."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from reid_tf.datasets.attributes.schema import DUKEMTMC_SCHEMA, MARKET1501_SCHEMA, AttributeGroup, AttributeSchema
from reid_tf.errors import InputError

MULTI_COLOUR = "multi-colour"


@dataclasses.dataclass(frozen=True)
class AttributeFields:
    """The fields of a label file and the groups that they answer.

    A field's value is a class index; files that count from 1 have one more. A colour
    group is spread over one field per colour, named by prefix and colour: exactly one
    of them set is that colour, none or several are "multi-colour".

    Args:
        schema: `AttributeSchema`.
        fields: mapping of group name to the name of its field, for the groups that have
            one.
        colour_prefixes: mapping of group name to the prefix of its colours' fields, for
            the others.
        multi_colour: str, or None. What follows the prefix in the field of
            "multi-colour"; None where it has no field.
    """

    schema: AttributeSchema
    fields: Mapping[str, str]
    colour_prefixes: Mapping[str, str]
    multi_colour: str | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """How many values each field can have."""
        sizes = {}
        for group in self.schema.groups:
            if group.name in self.fields:
                sizes[self.fields[group.name]] = len(group.classes)
            else:
                sizes |= dict.fromkeys(self._colour_fields(group), 2)
        return sizes

    def decode(self, values: Mapping[str, np.ndarray]) -> list[tuple[int, ...]]:
        """Turns a file's fields into class indices.

        Args:
            values: mapping of field to int [N], counted from 0 and within the field's
                size.

        Returns:
            list of N tuples: one class index per group.
        """
        columns = []
        for group in self.schema.groups:
            if group.name in self.fields:
                columns.append(values[self.fields[group.name]])
                continue
            is_set = np.stack([values[field] == 1 for field in self._colour_fields(group)])
            multi_colour = group.classes.index(MULTI_COLOUR)
            columns.append(np.where(is_set.sum(axis=0) == 1, is_set.argmax(axis=0), multi_colour))
        return [tuple(row) for row in np.stack(columns, axis=1).tolist()]

    def encode(self, answers: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
        """Turns class indices into a file's fields.

        Args:
            answers: mapping of whom they describe, as an error names it ("Identity 4"),
                to one class index per group.

        Returns:
            dict from field to int64 [N], counted from 0.

        Raises:
            InputError: a class index is not one of its group; no format has a value for
                an unknown class (-1).
        """
        for who, row in answers.items():
            self._check(who, row)
        groups = self.schema.groups
        columns = np.array(list(answers.values()), np.int64).reshape(-1, len(groups)).T
        values = {}
        for group, column in zip(groups, columns, strict=True):
            if group.name in self.fields:
                values[self.fields[group.name]] = column
                continue
            for index, field in enumerate(self._colour_fields(group)):
                values[field] = (column == index).astype(np.int64)
        return values

    def _colour_fields(self, group: AttributeGroup) -> list[str]:
        # "multi-colour" is the last class, so a colour's place among the fields is its class index.
        prefix = self.colour_prefixes[group.name]
        names = [self.multi_colour if name == MULTI_COLOUR else name for name in group.classes]
        return [f"{prefix}{name}" for name in names if name is not None]

    def _check(self, who: str, row: Sequence[int]) -> None:
        groups = self.schema.groups
        if len(row) != len(groups):
            raise InputError(f"{who} needs {len(groups)} class indices. Received: {tuple(row)!r}.")
        for group, answer in zip(groups, row, strict=True):
            if answer not in range(len(group.classes)):
                unknown = " (unknown, which the format cannot express)" if answer == -1 else ""
                raise InputError(
                    f"{who}: {group.name} must be 0 to {len(group.classes) - 1}. Received: {answer}{unknown}."
                )


_UPPER_AND_LOWER = {"upper_colour": "up", "lower_colour": "down"}

# `up` and `down` are lengths in the files, of the sleeves and of the lower clothing; `clothes` is the latter's type.
MARKET1501_FIELDS = AttributeFields(
    MARKET1501_SCHEMA,
    {
        "gender": "gender",
        "hair": "hair",
        "sleeves": "up",
        "lower_length": "down",
        "lower_type": "clothes",
        "hat": "hat",
        "backpack": "backpack",
        "bag": "bag",
        "handbag": "handbag",
        "age": "age",
    },
    _UPPER_AND_LOWER,
)
DUKEMTMC_FIELDS = AttributeFields(
    DUKEMTMC_SCHEMA,
    {
        "gender": "gender",
        "upper_length": "top",
        "shoes": "shoes",
        "boots": "boots",
        "hat": "hat",
        "backpack": "backpack",
        "bag": "bag",
        "handbag": "handbag",
    },
    _UPPER_AND_LOWER,
)
