"""The drawn street as files: videos, what a tracker would say of them, and the truth."""

import csv
import dataclasses
import datetime
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from reid_tf.datasets.pedestrians.street import GAP, JITTER, LEAST_SEEN, Filming, Seen, Street
from reid_tf.datasets.readers.box import mot_place
from reid_tf.errors import InputError
from reid_tf.files import folder_written_beside, write_csv, write_json
from reid_tf.progress import progress_bar

CAMERAS_FILE, TRUTH_FOLDER, STAMP = "cameras.csv", "truth", "street.json"
START = datetime.datetime(2026, 5, 1, 8, 0, tzinfo=datetime.UTC)


def draw_street(folder: str | Path, street: Street | None = None) -> Path:
    """Draws the footage of a street, once.

    The folder has `NAME.mp4` and `NAME.txt` of every camera, the boxes with a track
    each, as a tracker without re-identification gives them (MOT Challenge's text: a
    track ends where somebody is hidden for a second); `cameras.csv`, which `reid-tf
    footage` reads; and `truth/NAME.txt`, the boxes of whoever is seen, with the person
    in the place of the track.

    Args:
        folder: str or Path. New, empty, or drawn before with the same `Street`.
        street: `Street`, or None for the default one.

    Returns:
        Path of `cameras.csv`.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    folder, street = Path(folder), street or Street()
    described = json.loads(json.dumps(dataclasses.asdict(street)))
    if (folder / STAMP).is_file():
        drawn = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        if drawn != described:
            raise InputError(f"{str(folder)!r} holds another street. Received: {described}, drawn was {drawn}.")
        return folder / CAMERAS_FILE
    with folder_written_beside(folder) as beside:
        (beside / TRUTH_FOLDER).mkdir()
        rows = []
        bar = progress_bar(what="drawing a street", unit="frame", total=street.cameras * street.frames)
        with bar:
            for camera in range(street.cameras):
                name = f"camera{camera + 1}"
                _film(beside, name, Filming(street, camera), bar.update)
                files = {"video": f"{name}.mp4", "boxes": f"{name}.txt"}
                rows.append({"camera": name, **files, "start": START.isoformat(), "rate": street.rate})
        write_csv(beside / CAMERAS_FILE, rows)
        write_json(beside / STAMP, described)
    return folder / CAMERAS_FILE


def _film(folder: Path, name: str, filming: Filming, done: Callable[[], object]) -> None:
    street = filming.street
    height, width = street.size
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    video = cv2.VideoWriter(str(folder / f"{name}.mp4"), fourcc, float(street.rate), (width, height))
    if not video.isOpened():
        raise InputError(f"OpenCV cannot write {name}.mp4: it has no encoder for MPEG-4. Received: {cv2.__version__}.")
    tracker = _Tracker(street, filming.number)
    with (
        (folder / f"{name}.txt").open("w", encoding="utf-8", newline="") as boxes,
        (folder / TRUTH_FOLDER / f"{name}.txt").open("w", encoding="utf-8", newline="") as truth,
    ):
        found, true = (csv.writer(file, lineterminator="\n") for file in (boxes, truth))
        for number in range(street.frames):
            pixels, seen = filming.frame(number)
            video.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
            for one in seen:
                true.writerow([number + 1, one.person + 1, *mot_place(one.box), 1, 1, f"{one.visibility:.3f}"])
            for track, box in tracker.boxes(number, seen):
                found.writerow([number + 1, track, *mot_place(box), 1, -1, -1])
            done()
    video.release()


class _Tracker:
    """A detector that misses who is hidden, and a tracker that forgets them after `GAP` seconds."""

    def __init__(self, street: Street, camera: int) -> None:
        self.gap, self.rng = GAP * street.rate, street.rng(4, camera)
        self.height, self.width = street.size
        self.known: dict[int, tuple[int, int]] = {}  # by passage: the track, and when it was seen last
        self.tracks = 0

    def boxes(self, number: int, seen: list[Seen]) -> list[tuple[int, np.ndarray]]:
        """Returns the tracks and boxes of a frame, whole ones a little wrong."""
        found = []
        for one in seen:
            if one.visibility < LEAST_SEEN:
                continue
            track, last = self.known.get(one.passage, (0, -number - 2 * int(self.gap)))
            if number - last > self.gap:
                self.tracks += 1
                track = self.tracks
            self.known[one.passage] = (track, number)
            left, top, right, bottom = one.box
            box = np.array(one.box) + self.rng.normal(0, JITTER, 4) * np.tile([right - left, bottom - top], 2)
            found.append((track, np.clip(box, 0, [self.width, self.height] * 2)))
        return found
