"""What is kept of one camera's footage when it has been followed, so that interrupted work goes on."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.footage.camera import CameraFootage
from reid_tf.footage.follow import Followed, Sampling
from reid_tf.footage.people import Tracklets
from reid_tf.retrieval.fingerprint import Fingerprint

_ARRAYS = tuple(field.name for field in dataclasses.fields(Tracklets))
_TEXTS = ("cameras", "tracks")


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """The tracklets of one camera's footage and the files of their crops.

    Args:
        tracklets: `Tracklets`.
        crops: list, one for each tracklet, of file names, the best first; empty where
            crops are not kept.
        times: list, likewise, of seconds since 1970.
        qualities: list, likewise, of float.
        problems: tuple of str.
    """

    tracklets: Tracklets
    crops: list[list[str]]
    times: list[list[float]]
    qualities: list[list[float]]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, followed: Followed, footage: CameraFootage) -> "Kept":
        """Takes what is kept of a `Followed`."""
        files = [[crop for crop in some if crop.file] for some in followed.crops]
        return cls(
            followed.tracklets,
            [[str(crop.file) for crop in some] for some in files],
            [[footage.second(crop.frame) for crop in some] for some in files],
            [[crop.quality for crop in some] for some in files],
            followed.problems,
        )

    def chosen(self, rows: Sequence[int]) -> "Kept":
        """Returns what is kept of some tracklets, with all problems."""
        crops, times, qualities = self.crops, self.times, self.qualities
        return Kept(
            self.tracklets.chosen(np.array(rows, np.int64)),
            [crops[row] for row in rows],
            [times[row] for row in rows],
            [qualities[row] for row in rows],
            self.problems,
        )

    def save(self, path: Path, stamp: dict[str, Any]) -> None:
        """Writes all of it, with what it was made from, complete or not at all."""
        arrays = {name: getattr(self.tracklets, name) for name in _ARRAYS}
        arrays |= {name: np.array(arrays[name], str) for name in _TEXTS}
        crops = {"crops": self.crops, "times": self.times, "qualities": self.qualities, "problems": self.problems}
        with written_beside(path) as beside, beside.open("wb") as file:
            np.savez(file, stamp=json.dumps(stamp), rest=json.dumps(crops), **arrays)

    @classmethod
    def load(cls, path: Path) -> "tuple[Kept, dict[str, Any]]":
        """Reads what `save` wrote, and the stamp.

        Raises:
            InputError: the file is another one.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in (*_ARRAYS, "stamp", "rest")}
            stamp, rest = json.loads(str(arrays.pop("stamp"))), json.loads(str(arrays.pop("rest")))
            kept = cls(Tracklets(**arrays), rest["crops"], rest["times"], rest["qualities"], tuple(rest["problems"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{str(path)!r} is not what reid-tf footage keeps of a camera: {error}.") from None
        return kept, stamp


def join(parts: Sequence[Kept]) -> Kept:
    """Puts the footage of several cameras together."""
    return Kept(
        Tracklets.join([part.tracklets for part in parts]),
        [some for part in parts for some in part.crops],
        [some for part in parts for some in part.times],
        [some for part in parts for some in part.qualities],
        tuple(problem for part in parts for problem in part.problems),
    )


def stamp_of(footage: CameraFootage, sampling: Sampling, fingerprint: Fingerprint | None) -> dict[str, Any]:
    """Returns what a camera's tracklets depend on, as JSON values."""
    files = {
        name: f"{path.name}, {sum(1 for _ in path.iterdir()) if path.is_dir() else path.stat().st_size}"
        for name, path in (("video", footage.video), ("boxes", footage.boxes))
    }
    return {
        **files,
        "start": footage.start.isoformat(),
        "rate": footage.rate,
        "sampling": dataclasses.asdict(sampling),
        "encoder": fingerprint and fingerprint.to_dict(),
    }
