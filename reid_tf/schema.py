"""JSON values against the typed fields of a dataclass, with the sentence for what does not fit.

Exported encoders are opened where pydantic, which checks configurations, is not
installed.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from reid_tf.errors import InputError

Kind = TypeVar("Kind")

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def read_json(path: Path, kind: type[Kind]) -> Kind:
    """Reads a JSON file whose object has the fields of a dataclass.

    Args:
        path: Path.
        kind: dataclass. Its annotations say what is checked, see `of_fields`.

    Returns:
        An instance of `kind`.

    Raises:
        InputError: the file cannot be read, is not JSON, or a field is missing or wrong.
    """
    return of_fields(kind, read_object(path), repr(str(path)))


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Args:
        path: Path.

    Returns:
        dict.

    Raises:
        InputError: the file cannot be read, or is no JSON object.
    """
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} cannot be read as JSON: {error}.") from None
    if not isinstance(values, dict):
        raise InputError(f"{str(path)!r} must be an object. Received: {_shown(values)}.")
    return values


def parse_json(text: str | bytes) -> Any:
    """Returns what a JSON text holds, whose numbers are finite, and of 64 bits where they are whole.

    Args:
        text: str, or bytes in UTF-8.

    Raises:
        ValueError: it is not JSON, or has another number.
        RecursionError: it has lists in lists without an end.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite, parse_int=_whole)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number


def _whole(text: str) -> int:
    number = int(text)
    if number.bit_length() > 63:  # and the sign
        raise ValueError(f"the number {_shown(number)} has more than 64 bits")
    return number


def of_fields(kind: type[Kind], values: Any, what: str) -> Kind:
    """Makes a dataclass of a JSON object; keys that are no fields are passed over, as a later version may write them.

    Args:
        kind: dataclass. Its fields may be bool, int, float, str, Any, a dict from str, a
            tuple, a dataclass, or a union of these.
        values: the object.
        what: str. How error messages name it.

    Returns:
        An instance of `kind`.

    Raises:
        InputError: a field is missing or has another type, or the dataclass refuses it.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{what} must be an object. Received: {_shown(values)}.")
    hints, found = typing.get_type_hints(kind), {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        if field.name in values:
            found[field.name] = _of_type(hints[field.name], values[field.name], f"{what}, {field.name!r}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            received = ", ".join(map(repr, values)) or "nothing"
            raise InputError(f"{what} lacks the field {field.name!r}. Received: {received}.")
    try:
        return kind(**found)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None


def _of_type(hint: Any, value: Any, what: str) -> Any:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None and types.NoneType in parts:
            return None
        (hint,) = (part for part in parts if part is not types.NoneType)
        return _of_type(hint, value, what)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return of_fields(typing.cast(Any, hint), value, what)
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return {key: _of_type(parts[1], each, f"{what}, {key!r}") for key, each in value.items()}
    if origin is tuple and isinstance(value, list) and (Ellipsis in parts or len(value) == len(parts)):
        kinds = parts[:1] * len(value) if Ellipsis in parts else parts
        return tuple(_of_type(kind, each, what) for kind, each in zip(kinds, value, strict=True))
    wanted = origin or hint
    fits = type(value) is wanted or (wanted is float and type(value) is int)  # true is not a number
    if fits and wanted in _WORDS and origin is None:
        return value
    raise InputError(f"{what} must be {_described(wanted, parts)}. Received: {_shown(value)}.")


def _described(wanted: Any, parts: tuple[Any, ...]) -> str:
    if wanted is tuple:
        return "a list" if Ellipsis in parts else f"a list of {len(parts)}"
    return _WORDS.get(wanted, "an object")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
