"""How well people were told apart where the truth is known: IDF1 over all cameras, purity, and their number."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.readers.box import Boxes, read_detections
from reid_tf.footage.camera import CameraFootage
from reid_tf.footage.footage import People

LEAST_OVERLAP = 0.5  # intersection over union from which a box shows a true person


@dataclasses.dataclass(frozen=True)
class Judgement:
    """People against the truth.

    Args:
        idf1: float in [0, 1]. 2 IDTP / (boxes + true boxes) of the best one-to-one
            assignment of persons to true people over all cameras together.
        purity: float in [0, 1]. The share of tracklets whose true person is the most
            frequent one of the person they were given to.
        people: int. Who were found.
        true_people: int. Who were there.
    """

    idf1: float
    purity: float
    people: int
    true_people: int


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
    """Which boxes show which true person, whoever the tracks are given to.

    Args:
        shown: mapping from camera and track to a counter of true people: how many of the
            track's boxes cover one of theirs. A track without such a box is not there.
        boxes: mapping from camera and track to the number of boxes.
        true_boxes: int. Of all cameras.
        true_people: int.
    """

    shown: Mapping[tuple[str, str], Counter[int]]
    boxes: Mapping[tuple[str, str], int]
    true_boxes: int
    true_people: int


def match(cameras: Sequence[CameraFootage], truth: str | Path) -> Matches:
    """Compares the boxes of footage with the true ones.

    Args:
        cameras: sequence of `CameraFootage`.
        truth: str or Path. A folder with `NAME.txt` of every camera, MOT Challenge's
            text with the true person in the place of the track.

    Returns:
        `Matches`.

    Raises:
        InputError: a file of the truth cannot be read.
    """
    shown: dict[tuple[str, str], Counter[int]] = {}
    boxes: Counter[tuple[str, str]] = Counter()
    true_boxes, everybody = 0, set()
    for footage in cameras:
        true, found = read_detections(Path(truth) / f"{footage.camera}.txt"), footage.read_boxes()
        everybody |= set(true.tracks.tolist())
        true_boxes += len(true.tracks)
        boxes.update((footage.camera, str(track)) for track in found.tracks.tolist())
        for track, person in _matched(found, true):
            shown.setdefault((footage.camera, str(track)), Counter())[person] += 1
    return Matches(shown, boxes, true_boxes, len(everybody))


def judge(people: People, matches: Matches) -> Judgement:
    """Compares people with the truth.

    Args:
        people: `People` of this footage alone.
        matches: `Matches` of it.

    Returns:
        `Judgement`.

    References:
        Ristani et al., Performance Measures and a Data Set for Multi-Target,
        Multi-Camera Tracking, ECCV Workshops 2016.
    """
    tracklets = people.kept.tracklets
    given = {
        (str(camera), str(track)): int(person)
        for camera, track, person in zip(tracklets.cameras, tracklets.tracks, people.persons, strict=True)
    }
    of_track = {key: counts for key, counts in matches.shown.items() if key in given}
    shared: Counter[tuple[int, int]] = Counter()  # boxes by (person, true person)
    for key, counts in of_track.items():
        shared.update({(given[key], person): count for person, count in counts.items()})
    boxes = sum(matches.boxes[key] for key in given)
    return Judgement(
        2 * _identified(shared) / max(1, boxes + matches.true_boxes),
        _purity(given, of_track),
        len(set(given.values())),
        matches.true_people,
    )


def _matched(found: Boxes, true: Boxes) -> list[tuple[int, int]]:
    """Pairs of track and true person, one for each box that covers a true one, frame by frame.

    A box that covers two people makes two pairs: which of them counts, the assignment
    over all frames decides, as Ristani et al. have it.
    """
    pairs = []
    for frame in np.intersect1d(found.frames, true.frames):
        one, other = found.frames == frame, true.frames == frame
        shares = overlaps(found.edges[one], true.edges[other])
        rows, columns = np.nonzero(shares >= LEAST_OVERLAP)
        pairs += list(zip(found.tracks[one][rows].tolist(), true.tracks[other][columns].tolist(), strict=True))
    return pairs


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns intersection over union.

    Args:
        boxes: float [N, 4]. Left, top, right, bottom.
        others: float [M, 4].

    Returns:
        float64 [N, M].
    """
    lower = np.maximum(boxes[:, None, :2], others[None, :, :2])
    upper = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = np.clip(upper - lower, 0, None).prod(axis=2)
    areas = [(some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, others)]
    return np.asarray(both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-9))


def _identified(shared: Mapping[tuple[int, int], int]) -> int:
    """The most boxes that a one-to-one assignment of persons to true people identifies."""
    from scipy.optimize import linear_sum_assignment

    if not shared:
        return 0
    persons, true = (sorted({pair[side] for pair in shared}) for side in (0, 1))
    counts = np.array([[shared.get((person, other), 0) for other in true] for person in persons])
    rows, columns = linear_sum_assignment(-counts)
    return int(counts[rows, columns].sum())


def _purity(given: Mapping[tuple[str, str], int], of_track: Mapping[tuple[str, str], Counter[int]]) -> float:
    members: dict[int, Counter[int]] = {}
    for key, counts in of_track.items():
        members.setdefault(given[key], Counter())[counts.most_common(1)[0][0]] += 1
    return sum(max(counts.values()) for counts in members.values()) / max(1, len(of_track))
