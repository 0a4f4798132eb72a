"""Images picked by the attributes that a model sees on them ("a woman with a red top and a backpack")."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import AttributeSchema
from reid_tf.errors import InputError
from reid_tf.options import unknown

_BEFORE_NEXT = re.compile(r"[\s,]+(?=[^\s,=]+\s*=)")


def parse_attributes(texts: Iterable[str], schema: AttributeSchema) -> dict[str, str]:
    """Reads what attributes are asked for.

    Args:
        texts: iterable of str. Each one or several "group=class", separated by spaces
            or commas, such as "gender=female upper_colour=red". A class's name may hold
            spaces, also across texts, as a shell cuts them.
        schema: `AttributeSchema` that has the groups and classes.

    Returns:
        dict from group to class, in the order asked.

    Raises:
        InputError: nothing is asked, a part is not "group=class", a group or class does
            not exist, or a group is asked twice.
    """
    classes = {group.name: group.classes for group in schema.groups}
    wanted: dict[str, str] = {}
    for part in _BEFORE_NEXT.split(" ".join(texts).strip(" \t\n,")):
        group, equals, answer = (piece.strip() for piece in part.partition("="))
        if not (group and equals and answer):
            raise InputError(f"Attributes are asked for as group=class, such as hat=yes. Received: {part!r}.")
        if group not in classes:
            raise InputError(unknown("attribute", group, classes))
        if answer not in classes[group]:
            raise InputError(unknown(f"class of the attribute {group!r}", answer, classes[group]))
        if group in wanted:
            raise InputError(f"The attribute {group!r} is asked for twice: {wanted[group]!r} and {answer!r}.")
        wanted[group] = answer
    return wanted


def attribute_matches(coding: AttributeCoding, outputs: np.ndarray, wanted: Mapping[str, str]) -> np.ndarray:
    """Says on which images the likeliest class of every wanted group is the wanted one.

    Args:
        coding: `AttributeCoding`.
        outputs: float [N, size of the coding].
        wanted: mapping from group to class, as `parse_attributes()` returns.

    Returns:
        bool [N]; True everywhere where nothing is wanted.

    Raises:
        InputError: the outputs have another width.
    """
    answers = coding.answers(outputs)
    matches = np.ones(len(answers), bool)
    for column, index in _places(coding.schema, wanted):
        matches &= answers[:, column] == index
    return matches


def attribute_probabilities(coding: AttributeCoding, outputs: np.ndarray, wanted: Mapping[str, str]) -> np.ndarray:
    """Gives the probability that all wanted attributes hold: the product of the groups' probabilities.

    The product takes the groups to be independent, given the image.

    Args:
        coding: `AttributeCoding`.
        outputs: float [N, size of the coding].
        wanted: mapping from group to class, as `parse_attributes()` returns.

    Returns:
        float64 [N] in [0, 1]; 1 everywhere where nothing is wanted.

    Raises:
        InputError: the outputs have another width.
    """
    of_groups = coding.class_probabilities(outputs)
    product = np.ones(len(outputs), np.float64)  # of many small factors, too small for float32
    for column, index in _places(coding.schema, wanted):
        product *= of_groups[column][:, index]
    return product


def rank_by_attributes(
    coding: AttributeCoding, outputs: np.ndarray, wanted: Mapping[str, str], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k images on which all wanted attributes hold most probably.

    Equal probabilities rank in the order of the images.

    Args:
        coding: `AttributeCoding`.
        outputs: float [N, size of the coding].
        wanted: mapping from group to class, as `parse_attributes()` returns.
        k: int in 1 .. N.

    Returns:
        (indices int64 [1, k], probabilities float64 [1, k]), as `rank()` does for one
        query.

    Raises:
        InputError: k is outside 1 .. N, or the outputs have another width.
    """
    if not 1 <= k <= len(outputs):
        raise InputError(f"k must be between 1 and the {len(outputs)} images. Received: {k!r}.")
    probabilities = attribute_probabilities(coding, outputs, wanted)
    indices = np.argsort(-probabilities, kind="stable")[:k]
    return indices[np.newaxis], probabilities[indices][np.newaxis]


def _places(schema: AttributeSchema, wanted: Mapping[str, str]) -> list[tuple[int, int]]:
    """The group's position and the class index of everything wanted."""
    return [
        (column, group.classes.index(wanted[group.name]))
        for column, group in enumerate(schema.groups)
        if group.name in wanted
    ]
