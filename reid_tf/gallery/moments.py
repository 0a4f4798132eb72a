"""Moments as people write them, and as a store keeps them: milliseconds since 1970, in no zone."""

import datetime

from reid_tf.errors import InputError

Moment = datetime.datetime | str
UNKNOWN = -1  # in the store; every moment since 1970 is later

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def milliseconds(moment: Moment) -> int:
    """Returns the milliseconds from 1970 to a moment.

    Args:
        moment: datetime with a zone, or str in ISO 8601 with one:
            "2026-05-01T08:30:00+02:00", "2026-05-01 06:30Z".

    Raises:
        InputError: it is no moment, has no zone, or lies before 1970.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment.strip())
        except ValueError:
            raise InputError(
                f"A time must be in ISO 8601, such as 2026-05-01T08:30:00+02:00. Received: {moment!r}."
            ) from None
    if not isinstance(moment, datetime.datetime):
        raise InputError(f"A time must be a datetime or text in ISO 8601. Received: {moment!r}.")
    if moment.tzinfo is None:
        raise InputError(
            f"A time needs its zone, such as {moment.isoformat()}+02:00 or {moment.isoformat()}Z. Received: "
            f"{moment.isoformat()}."
        )
    passed = (moment - _EPOCH) // datetime.timedelta(milliseconds=1)
    if passed < 0:
        raise InputError(f"A time must not lie before 1970. Received: {moment.isoformat()}.")
    return passed


def moment_of(passed: int) -> datetime.datetime | None:
    """Returns the moment, in UTC, that `milliseconds` gave, or None where it is unknown."""
    return None if passed < 0 else _EPOCH + datetime.timedelta(milliseconds=passed)
