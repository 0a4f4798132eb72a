"""The landmark file that a detector fills, which may take hours and be interrupted."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from reid_tf.datasets.landmarks import read_detector, read_landmarks, write_landmarks
from reid_tf.errors import InputError

_SECONDS_BETWEEN_SAVES = 30.0


class LandmarkCache:
    """Landmarks by image path, saved now and then to an unfinished file and at the end to their own.

    A context manager: where the block ends well the file is written and the unfinished
    one removed; where it raises the unfinished one keeps what there is, and the next
    cache of the same detector takes it up. What the file itself has from the same
    detector is kept too.

    Args:
        path: str or Path. The landmark file.
        detector: mapping. The `description` of the detector that makes the landmarks.
        overwrite: bool. Whether what both files have is thrown away, whichever detector
            made it.

    Raises:
        InputError: another detector, or an unknown one, made the file, or one of the
            two files is damaged.
    """

    def __init__(self, path: str | Path, detector: Mapping[str, Any], overwrite: bool = False) -> None:
        self.path = Path(path)
        self.unfinished = self.path.with_name(f"{self.path.stem}.unfinished.npz")
        self._detector = dict(detector)
        self._saved = time.monotonic()
        self.landmarks: dict[str, np.ndarray] = {}
        if self.path.exists() and not overwrite:
            found = read_detector(self.path)
            if not _same(found, self._detector):
                raise InputError(
                    f"{str(self.path)!r} holds the landmarks of {_name(found)}, not of {_name(self._detector)}; "
                    "--overwrite replaces it, --out names another file."
                )
            self.landmarks |= read_landmarks(self.path)
        if self.unfinished.exists() and not overwrite and _same(read_detector(self.unfinished), self._detector):
            self.landmarks |= read_landmarks(self.unfinished)

    def __enter__(self) -> Self:
        """Writes the unfinished file, so that a folder that cannot be written to is found before hours of work.

        Raises:
            InputError: the file cannot be written.
        """
        self._save(self.unfinished)
        return self

    def add(self, name: str, landmarks: np.ndarray) -> None:
        """Adds the landmarks of an image, and saves when it is time.

        Args:
            name: str. The image's path, relative to the data set's root.
            landmarks: float [18, 3]. As in `Record.landmarks`.
        """
        self.landmarks[name] = landmarks
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
            self._save(self.unfinished)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._save(self.path if kind is None else self.unfinished)
        if kind is None:
            self.unfinished.unlink(missing_ok=True)

    def _save(self, path: Path) -> None:
        write_landmarks(path, self.landmarks, self._detector)
        self._saved = time.monotonic()


def _same(first: Mapping[str, Any] | None, second: Mapping[str, Any]) -> bool:
    return first is not None and json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _name(detector: Mapping[str, Any] | None) -> str:
    return "an unnamed detector" if detector is None else json.dumps(detector, sort_keys=True)
