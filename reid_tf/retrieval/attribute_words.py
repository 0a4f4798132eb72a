"""Attributes in everyday words: "woman, red top, long hair, no backpack"."""

import re
from collections.abc import Iterator, Sequence

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.errors import InputError
from reid_tf.retrieval.attribute_filter import parse_attributes

_PHRASES = re.compile(r"\s*(?:,|;|\band\b|\bwith\b|\bin\b)\s*")
_ABSENT = {"no", "without"}
_FILLERS = {"a", "an", "the", "of", "is", "wearing", "carrying", "coloured", "colored"}
_PLAIN = {  # everyday words, and those of the schemas that they stand for
    **dict.fromkeys(("woman", "women", "lady", "girl", "she"), "female"),
    **dict.fromkeys(("man", "men", "boy", "he", "guy"), "male"),
    **dict.fromkeys(("top", "shirt", "jacket", "coat", "sweater", "pullover", "tshirt"), "upper"),
    **dict.fromkeys(("bottom", "bottoms", "legs"), "lower"),
    **dict.fromkeys(("trouser", "pants", "jeans"), "trousers"),
    **dict.fromkeys(("grey",), "gray"),
    **dict.fromkeys(("color",), "colour"),
    **dict.fromkeys(("rucksack",), "backpack"),
    **dict.fromkeys(("haired",), "hair"),
    **dict.fromkeys(("kid", "child"), "young"),
}

_GARMENTS = dict.fromkeys(("trousers", "skirt", "shorts"), "lower")  # beside an answer: "black trousers"


def attributes_in_words(text: str, schema: AttributeSchema) -> dict[str, str]:
    """Finds the attributes that a description names.

    The text is cut at commas, "and", "with" and "in"; each phrase must name one answer
    of one group: by the answer ("female"), by answer and group ("red upper colour",
    "red top"), or by a group of yes and no ("backpack", "no hat"). "group=answer" is
    understood too.

    Args:
        text: str, in English.
        schema: `AttributeSchema`. Its groups and classes are what can be named.

    Returns:
        dict from group to class, in the order of the text.

    Raises:
        InputError: nothing is named, a phrase names nothing or several things, or a
            group is named twice with different answers.

    Example:
        >>> attributes_in_words("woman, red top", schema)
        {'gender': 'female', 'upper_colour': 'red'}
    """
    wanted: dict[str, str] = {}
    for phrase in filter(None, _PHRASES.split(text.strip().lower())):
        found = sorted(set(_meanings(phrase, schema)))
        if len(found) != 1:
            meant = ", ".join(f"{group}={answer}" for group, answer in found) or "nothing that the encoder was taught"
            raise InputError(
                f"Each part of a description names one attribute. Received: {phrase!r}, which names {meant}."
            )
        ((group, answer),) = found
        if wanted.setdefault(group, answer) != answer:
            raise InputError(f"The attribute {group!r} is described twice: as {wanted[group]!r} and {answer!r}.")
    if not wanted:
        names = ", ".join(group.name for group in schema.groups)
        raise InputError(f"A description names attributes of: {names}. Received: {text!r}.")
    return wanted


def wanted_attributes(texts: Sequence[str], schema: AttributeSchema) -> dict[str, str]:
    """Reads what attributes are asked for, as `group=class` or in everyday words.

    Args:
        texts: sequence of str. With "=" somewhere, as `parse_attributes()` reads them;
            else together one description, as `attributes_in_words()` reads it.
        schema: `AttributeSchema`.

    Returns:
        dict from group to class, in the order asked.

    Raises:
        InputError: as the two functions.
    """
    if any("=" in text for text in texts):
        return parse_attributes(texts, schema)
    return attributes_in_words(" ".join(texts), schema)


def _meanings(phrase: str, schema: AttributeSchema) -> Iterator[tuple[str, str]]:
    given = _words(phrase.replace("=", " "))
    absent = bool(given & _ABSENT)
    named = given - _ABSENT - _FILLERS
    for group in schema.groups:
        for answer in group.classes:
            if _names(named, absent, group, answer):
                yield group.name, answer


def _names(named: set[str], absent: bool, group: AttributeGroup, answer: str) -> bool:
    of_group, of_answer = _words(group.name), _words(answer)
    if set(group.classes) == {"no", "yes"}:
        said = "no" if absent or "no" in named else "yes"
        return answer == said and bool(named) and named - {"yes", "no"} <= of_group and bool(named & of_group)
    rest = {_GARMENTS.get(word, word) for word in named - of_answer}
    return not absent and of_answer <= named and rest <= of_group


def _words(text: str) -> set[str]:
    words = re.findall(r"[a-z0-9]+", text.lower().replace("t-shirt", "tshirt").replace("multi-colour", "multicolour"))
    return {_PLAIN.get(word, word) for word in words}
