"""Boxes with tracks of a video: a detector, and a tracker of the package `trackers`."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from reid_tf.datasets.readers.box import mot_place
from reid_tf.datasets.readers.video import frames_or_reasons, numbers_of
from reid_tf.errors import InputError, require_package
from reid_tf.files import written_beside
from reid_tf.footage.detectors import Detector

TRACKERS = ("bytetrack", "none")
LOST = 1.0  # seconds after which a track that is not seen ends

Found = Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]  # frame, tracks, boxes, scores


def detect(
    video: Path,
    detector: Detector,
    rate: float,
    tracker: str = "bytetrack",
    least_score: float = 0.5,
    problem: Callable[[str], object] = lambda sentence: None,
) -> Found:
    """Detects and tracks people in every frame.

    Args:
        video: Path. A video, or a folder of frames named by their number.
        detector: as `detectors.py` makes them.
        rate: float > 0. Frames a second.
        tracker: "bytetrack", or "none": every box is a track of its own, for single
            frames.
        least_score: float in [0, 1]. Boxes with a lower score are left out.
        problem: function that is told of each frame that cannot be read.

    Yields:
        frame, counted from 0; tracks int64 [N]; boxes float64 [N, 4]; scores [N].

    Raises:
        InputError: the tracker is none or not installed, the detector gives other
            shapes, or the video cannot be read.
    """
    if tracker not in TRACKERS:
        raise InputError(f"A tracker is one of {', '.join(TRACKERS)}. Received: {tracker!r}.")
    track = _bytetrack(rate, least_score) if tracker == "bytetrack" else _each_its_own()
    numbers = numbers_of(video)
    for number, frame in zip(numbers, frames_or_reasons(video, numbers), strict=True):
        if isinstance(frame, str):
            problem(frame)
            continue
        boxes, scores = (np.asarray(given, np.float64) for given in detector(frame))
        if boxes.shape != (len(scores), 4) or scores.ndim != 1 or not np.isfinite(boxes).all():
            raise InputError(
                f"A detector gives boxes [N, 4] and scores [N], finite. Received: {list(boxes.shape)} and "
                f"{list(scores.shape)} for frame {number}."
            )
        good = scores >= least_score
        yield (number, *track(boxes[good], scores[good]))


def write_mot(path: str | Path, found: Found) -> tuple[int, int]:
    """Writes boxes as MOT Challenge's text, complete or not at all.

    Args:
        path: str or Path.
        found: as `detect()` yields it.

    Returns:
        How many boxes and tracks.
    """
    boxes, tracks = 0, set()
    with written_beside(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, of_frame, edges, scores in found:
            for track, box, score in zip(of_frame.tolist(), edges, scores, strict=True):
                writer.writerow([number + 1, track, *mot_place(box), f"{score:.4f}", -1, -1])
                boxes += 1
                tracks.add(track)
    return boxes, len(tracks)


Tracking = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def _each_its_own() -> Tracking:
    given = 0

    def track(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nonlocal given
        given += len(boxes)
        return np.arange(given - len(boxes), given) + 1, boxes, scores

    return track


def _bytetrack(rate: float, least_score: float) -> Tracking:
    for package in ("supervision", "trackers"):
        require_package(package, "The tracker 'bytetrack'", "'reid_tf[detector]'")
    import supervision
    from trackers import ByteTrackTracker

    tracker = ByteTrackTracker(
        frame_rate=rate,
        lost_track_buffer=max(1, round(30 * LOST)),  # in frames of a video of 30 a second
        track_activation_threshold=least_score,
        high_conf_det_threshold=least_score,
        minimum_consecutive_frames=1,
    )

    def track(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tracked = tracker.update(supervision.Detections(boxes, confidence=scores))
        if tracked.tracker_id is None or tracked.confidence is None:
            return np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0)
        kept = tracked.tracker_id >= 0
        return tracked.tracker_id[kept].astype(np.int64) + 1, tracked.xyxy[kept], tracked.confidence[kept]

    return track
