"""What a gallery knows of one image."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from reid_tf.gallery.moments import UNKNOWN, milliseconds, moment_of

_NO_QUALITY = -1.0
FIELDS = ("id", "path", "camera", "time", "track", "person", "quality", "attributes", "note")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of a gallery, but for its vector.

    Args:
        id: str. Made of the image, its camera and its time: 32 hexadecimal digits.
        path: str. The image's file or object key; "" where nobody named one.
        camera: str, "" where unknown, as are track and person.
        time: datetime in UTC, or None.
        track: str. Of one camera's tracker.
        person: str. Whom the image shows.
        quality: float in [0, 1], or None.
        attributes: mapping from group to answer, as the encoder saw them; empty where
            it sees none.
        note: str.
    """

    id: str
    path: str = ""
    camera: str = ""
    time: datetime.datetime | None = None
    track: str = ""
    person: str = ""
    quality: float | None = None
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    note: str = ""

    def to_row(self) -> dict[str, Any]:
        """Returns the values that a store keeps."""
        return {
            **dataclasses.asdict(self),
            "time": UNKNOWN if self.time is None else milliseconds(self.time),
            "quality": _NO_QUALITY if self.quality is None else self.quality,
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Entry":
        """Reads what `to_row` gave; other keys are passed over."""
        values = {name: row[name] for name in FIELDS}
        quality = values["quality"]
        return cls(**values | {"time": moment_of(values["time"]), "quality": None if quality < 0 else quality})

    def to_dict(self) -> dict[str, Any]:
        """Returns the entry as JSON values; the time in ISO 8601."""
        return {**dataclasses.asdict(self), "time": self.time and self.time.isoformat()}
