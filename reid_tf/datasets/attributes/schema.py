"""Attributes of persons: what the groups are called and which classes they have."""

import dataclasses
from collections.abc import Sequence

import numpy as np

UNKNOWN = -1


@dataclasses.dataclass(frozen=True)
class AttributeGroup:
    """A question with exclusive answers.

    Args:
        name: str. The question ("upper_colour").
        classes: tuple of str. The answers in the order of their class index.
    """

    name: str
    classes: tuple[str, ...]

    @property
    def targets(self) -> tuple[int, ...]:
        """The classes that become a sigmoid target of their own.

        Class 1 of a two-way group; every class of a larger one but "multi-colour", the
        absence of a single colour.
        """
        if len(self.classes) == 2:
            return (1,)
        return tuple(index for index, name in enumerate(self.classes) if name != "multi-colour")


@dataclasses.dataclass(frozen=True)
class AttributeSchema:
    """The groups of a data set, in the order in which `Record.attributes` answers them.

    Args:
        groups: tuple of `AttributeGroup`.
    """

    groups: tuple[AttributeGroup, ...]

    @property
    def binary_names(self) -> tuple[str, ...]:
        """The sigmoid targets' names: the group's for a two-way group, "group=class" otherwise."""
        return tuple(
            group.name if len(group.classes) == 2 else f"{group.name}={group.classes[index]}"
            for group in self.groups
            for index in group.targets
        )

    def to_binary(self, attributes: Sequence[int]) -> np.ndarray:
        """Spreads class indices over sigmoid targets.

        Args:
            attributes: ints [groups]. One class index per group, -1 = unknown.

        Returns:
            int8 [targets]: 1 where the class is the image's, 0 where it is not, -1
            where the group is unknown.
        """
        values = []
        for group, answer in zip(self.groups, attributes, strict=True):
            values += [UNKNOWN if answer == UNKNOWN else int(answer == index) for index in group.targets]
        return np.array(values, np.int8)


def _yes_no(name: str) -> AttributeGroup:
    return AttributeGroup(name, ("no", "yes"))


# The 12 groups of Lin et al., "Improving Person Re-identification by Attribute and Identity Learning", in the order of
# the joint attribute network's list; 9 two-way groups, age 4, upper colours 8 + 1, lower colours 9 + 1.
MARKET1501_SCHEMA = AttributeSchema(
    (
        AttributeGroup("gender", ("male", "female")),
        AttributeGroup("hair", ("short", "long")),
        AttributeGroup("sleeves", ("long", "short")),
        AttributeGroup("lower_length", ("long", "short")),
        AttributeGroup("lower_type", ("dress", "trousers")),
        _yes_no("hat"),
        _yes_no("backpack"),
        _yes_no("bag"),
        _yes_no("handbag"),
        AttributeGroup("age", ("young", "teenager", "adult", "old")),
        AttributeGroup(
            "upper_colour",
            ("black", "white", "red", "purple", "yellow", "gray", "blue", "green", "multi-colour"),
        ),
        AttributeGroup(
            "lower_colour",
            ("black", "white", "pink", "purple", "yellow", "gray", "blue", "green", "brown", "multi-colour"),
        ),
    )
)

# The 10 groups of the same authors' labels for DukeMTMC-reID: 8 two-way groups, upper colours 8 + 1, lower 7 + 1.
DUKEMTMC_SCHEMA = AttributeSchema(
    (
        AttributeGroup("gender", ("male", "female")),
        AttributeGroup("upper_length", ("short", "long")),
        AttributeGroup("shoes", ("dark", "light")),
        _yes_no("boots"),
        _yes_no("hat"),
        _yes_no("backpack"),
        _yes_no("bag"),
        _yes_no("handbag"),
        AttributeGroup(
            "upper_colour",
            ("black", "white", "red", "purple", "gray", "blue", "green", "brown", "multi-colour"),
        ),
        AttributeGroup(
            "lower_colour",
            ("black", "white", "red", "gray", "blue", "green", "brown", "multi-colour"),
        ),
    )
)

SCHEMAS = {"market1501": MARKET1501_SCHEMA, "dukemtmc_reid": DUKEMTMC_SCHEMA}  # by the data set they were made for
