"""Which rows of a gallery are meant: typed values, put into the store's own language here and nowhere else."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reid_tf.errors import InputError
from reid_tf.gallery.moments import Moment, milliseconds
from reid_tf.options import unknown

Text = str | int
Texts = Text | Sequence[Text]
LONGEST = 512  # bytes of a text in the store


@dataclasses.dataclass(frozen=True)
class Filter:
    """Rows that have all that is given; nothing given means all rows.

    Args:
        camera: str, int, or several of them. Cameras of which it must be one.
        not_camera: likewise. Cameras of which it must be none.
        since: moment, or None. The time must be known and not before it.
        until: moment, or None. The time must be known and before it.
        person: str, int, or several.
        track: str, int, or several.
        attributes: mapping from group to answer, or None.

    Raises:
        InputError: a value is of another kind, or a text cannot be kept in the store.
    """

    camera: Texts = ()
    not_camera: Texts = ()
    since: Moment | None = None
    until: Moment | None = None
    person: Texts = ()
    track: Texts = ()
    attributes: Mapping[str, str] | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Filter":
        """Makes a filter of keyword arguments.

        Raises:
            InputError: one of them is no field of a filter.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            if name not in names:
                raise InputError(unknown("filter", name, names))
        return cls(**options)

    def expression(self) -> str:
        """Returns the filter in the store's language, "" for all rows."""
        parts = [
            one_of(field, getattr(self, field))
            for field in ("camera", "person", "track")
            if _texts(getattr(self, field))
        ]
        if _texts(self.not_camera):
            parts.append(f"not ({one_of('camera', self.not_camera)})")
        if self.since is not None:
            parts.append(f"time >= {milliseconds(self.since)}")
        if self.until is not None:
            parts.append(f"time >= 0 and time < {milliseconds(self.until)}")
        for group, answer in (self.attributes or {}).items():
            parts.append(f"attributes[{quoted(group)}] == {quoted(answer)}")
        return " and ".join(parts)


def one_of(field: str, values: Texts) -> str:
    """Returns the expression that a field has one of some values."""
    return f"{field} in [{', '.join(map(quoted, _texts(values)))}]"


def quoted(value: Text) -> str:
    """Returns a text between quotes, with what could end it escaped."""
    return json.dumps(as_text(value), ensure_ascii=False)


def as_text(value: Any, what: str = "text") -> str:
    """Returns a camera, person, track, path or note as the text that is stored; a number as its digits.

    Args:
        value: str or int.
        what: str. How the error names it.

    Raises:
        InputError: it is of another kind, too long, or has control characters.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"A {what} must be text or a whole number. Received: {value!r}.")
    text = str(value)
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InputError(f"A {what} must be text that Unicode can hold. Received: {text!r}.") from None
    if length > LONGEST or not text.isprintable():
        raise InputError(
            f"A {what} must have at most {LONGEST} bytes and no control characters. Received: {text[:80]!r} of "
            f"{length} bytes."
        )
    return text


def _texts(values: Texts) -> list[Text]:
    if isinstance(values, str | int):
        return [values]
    if not isinstance(values, Iterable):
        raise InputError(f"A filter takes a text, a number or several of them. Received: {values!r}.")
    return list(values)
