"""One camera's footage becomes tracklets: the best crops of every track, embedded, and one descriptor of them."""

import dataclasses
import heapq
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from reid_tf.datasets.crop_folder import write_jpeg
from reid_tf.datasets.readers.box import Boxes
from reid_tf.datasets.readers.video import frames_or_reasons
from reid_tf.encoder.boxes import cut_to_frame
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.footage.camera import CameraFootage, check_size, sampled
from reid_tf.footage.people import DESCRIPTORS, Tracklets, descriptor
from reid_tf.footage.quality import hidden_shares, quality
from reid_tf.options import unknown
from reid_tf.retrieval.junk import junk_scores

JPEG_QUALITY = 92

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which crops of a track are looked at.

    Args:
        every: float > 0. Seconds between two looks.
        crops: int >= 1. The best of each track that are kept.
        least_height: int >= 1. Pixels that a box must have.
        descriptor: "mean", "medoid" or "medoids", as in `descriptor()`.
        least_quality: float in [0, 1). Of a crop, as `quality()` gives it: size,
            sharpness, what is hidden or cut off.
        least_junk_score: float >= 0, or None. Of the best crops of a track, as
            `junk_scores()` gives it; for encoders with attributes.
        keep: bool. Whether the crops are kept as files.

    Raises:
        InputError: a value is out of its range.
    """

    every: float = 0.4
    crops: int = 6
    least_height: int = 32
    descriptor: str = "mean"
    least_quality: float = 0.0
    least_junk_score: float | None = None
    keep: bool = True

    def __post_init__(self) -> None:
        if not (self.every > 0 and self.crops >= 1 and self.least_height >= 1):
            raise InputError(f"Seconds between looks, crops and height must be above 0. Received: {self}.")
        if self.descriptor not in DESCRIPTORS:
            raise InputError(unknown("descriptor", self.descriptor, DESCRIPTORS))
        if not 0 <= self.least_quality < 1:
            raise InputError(f"The least quality of a crop must lie in [0, 1). Received: {self.least_quality}.")
        if self.least_junk_score is not None and not self.least_junk_score >= 0:
            raise InputError(f"The least junk score of a crop must be at least 0. Received: {self.least_junk_score}.")


@dataclasses.dataclass(frozen=True, eq=False)
class Crop:
    """A crop that was looked at: its file's name, None where files are not kept, the frame, quality, and vector."""

    file: str | None
    frame: int
    quality: float
    vector: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Followed:
    """What became of one camera's footage.

    Args:
        tracklets: `Tracklets`.
        crops: list, one for each tracklet, of its `Crop`s, the best first.
        problems: tuple of str. Frames that could not be read, tracks without a good
            crop.
    """

    tracklets: Tracklets
    crops: list[list[Crop]]
    problems: tuple[str, ...]


Kept = tuple[float, int, np.ndarray]  # quality, frame, crop in blue, green, red


def follow(
    encoder: Encoder,
    footage: CameraFootage,
    folder: Path,
    sampling: Sampling,
    done: Callable[[int], object] = lambda frames: None,
    batch_size: int = 64,
) -> Followed:
    """Follows everybody through one camera's footage.

    Args:
        encoder: `Encoder`.
        footage: `CameraFootage`.
        folder: Path. Where the crops are written.
        sampling: `Sampling`.
        done: function that is told how many frames have been looked at since.
        batch_size: int >= 1. Crops embedded at once.

    Returns:
        `Followed`; tracks of which no crop is good enough are left out and named.

    Raises:
        InputError: the footage or its boxes cannot be read, or do not belong together,
            or the encoder knows no attributes and junk scores are wanted.
    """
    boxes = footage.read_boxes()
    _LOG.info("%s counts frames from %d.", footage.boxes.name, boxes.first)
    step = max(1, round(sampling.every * footage.rate))
    frames, ranges = sampled(boxes, step)
    lasts = dict(zip(boxes.tracks.tolist(), boxes.frames.tolist(), strict=True))  # in order: the last one stays
    problems: list[str] = []
    best: dict[int, list[Kept]] = {}
    chosen = _Chosen(encoder, footage.name, folder, sampling, batch_size)
    read = frames_or_reasons(footage.video, frames.tolist())
    checked = False
    for frame, (start, stop), image in zip(frames.tolist(), ranges.tolist(), read, strict=True):
        done(1)
        if isinstance(image, str):
            problems.append(image)
            continue
        if not checked:
            check_size(footage, boxes, image.shape[:2])
            checked = True
        for track, (grade, crop) in _looks(image, boxes.tracks[start:stop], boxes.edges[start:stop], sampling):
            heap = best.setdefault(track, [])
            push = heapq.heappush if len(heap) < sampling.crops else heapq.heappushpop
            push(heap, (grade, frame, crop))
        for track in [track for track in best if lasts[track] < frame + step]:
            chosen.add(track, best.pop(track))
        chosen.embed(batch_size)
    for track, kept in best.items():
        chosen.add(track, kept)
    chosen.embed(1)
    found = chosen.found
    without = sorted(set(lasts) - set(found))
    if without:
        problems.append(
            f"{len(without)} tracks of camera {footage.camera!r} have no crop that is tall and good enough: "
            f"{', '.join(map(str, without[:10]))}{', ...' if len(without) > 10 else ''}."
        )
    tracks = sorted(found)
    crops = [sorted(found[track], key=lambda crop: (-crop.quality, crop.frame)) for track in tracks]
    return Followed(_tracklets(encoder, footage, boxes, tracks, crops, sampling), crops, tuple(dict.fromkeys(problems)))


class _Chosen:
    """The chosen crops of tracks that have ended: embedded a batch at a time, and written where they are kept."""

    def __init__(self, encoder: Encoder, name: str, folder: Path, sampling: Sampling, batch_size: int) -> None:
        self.encoder, self.name, self.folder, self.sampling = encoder, name, folder, sampling
        self.batch_size = batch_size
        self.found: dict[int, list[Crop]] = {}
        self._pending: list[tuple[int, Kept]] = []

    def add(self, track: int, kept: list[Kept]) -> None:
        """Takes the crops of a track."""
        self._pending += [(track, one) for one in kept]

    def embed(self, least: int) -> None:
        """Embeds what is there, as long as it is so many crops."""
        while len(self._pending) >= least:
            some = [self._pending.pop() for _ in range(min(self.batch_size, len(self._pending)))]
            vectors, is_good = self._vectors([crop[..., ::-1] for _, (_, _, crop) in some])
            for (track, (grade, frame, crop)), vector, good in zip(some, vectors, is_good, strict=True):
                if good:
                    file = self._write(track, frame, crop) if self.sampling.keep else None
                    self.found.setdefault(track, []).append(Crop(file, frame, grade, vector))

    def _vectors(self, crops: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The crops' vectors, and which of them show somebody as far as their attributes tell."""
        if self.sampling.least_junk_score is None:
            return self.encoder(crops), np.ones(len(crops), bool)
        outputs = self.encoder.outputs(crops)
        return outputs["embedding"], junk_scores(outputs["attributes"]) >= self.sampling.least_junk_score

    def _write(self, track: int, frame: int, crop: np.ndarray) -> str:
        name = f"{self.name}_{track}_{frame:06d}.jpg"
        write_jpeg(self.folder / name, crop, JPEG_QUALITY)
        return name


def _looks(
    image: np.ndarray, tracks: np.ndarray, edges: np.ndarray, sampling: Sampling
) -> Iterator[tuple[int, tuple[float, np.ndarray]]]:
    """The crops of one frame that are large and good enough, with their quality."""
    height, width = image.shape[:2]
    inside = cut_to_frame(edges, (height, width))
    hidden = hidden_shares(edges)
    for track, (left, top, right, bottom), share in zip(tracks.tolist(), inside.tolist(), hidden.tolist(), strict=True):
        if bottom - top < sampling.least_height or right - left < sampling.least_height // 4:
            continue
        crop = image[top:bottom, left:right]
        is_cut_off = left <= 0 or top <= 0 or right >= width or bottom >= height
        grade = quality(crop, share, is_cut_off)
        if grade >= sampling.least_quality:
            yield track, (grade, crop.copy())


def _tracklets(
    encoder: Encoder,
    footage: CameraFootage,
    boxes: Boxes,
    tracks: list[int],
    crops: list[list[Crop]],
    sampling: Sampling,
) -> Tracklets:
    # Boxes are in order of time: a track's first row is its first frame, and its first from behind its last one.
    numbers, firsts, counts = np.unique(boxes.tracks, return_index=True, return_counts=True)
    lasts = len(boxes.tracks) - 1 - np.unique(boxes.tracks[::-1], return_index=True)[1]
    rows = np.searchsorted(numbers, tracks)
    starts, ends = (footage.second(boxes.frames[of_track[rows]]) for of_track in (firsts, lasts))
    vectors = [
        descriptor(
            np.array([crop.vector for crop in some]), np.array([crop.quality for crop in some]), sampling.descriptor
        )
        for some in crops
    ]
    return Tracklets(
        np.array(vectors, np.float32).reshape(len(tracks), encoder.dim),
        np.array([footage.camera] * len(tracks), object),
        np.array([str(track) for track in tracks], object),
        starts,
        ends,
        counts[rows],
    )
