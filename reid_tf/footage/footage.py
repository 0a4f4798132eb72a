"""From the footage of several cameras to people: who was where and when."""

import dataclasses
import datetime
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.readers.csv import read_csv
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.files import claimed, write_csv
from reid_tf.footage.camera import CameraFootage
from reid_tf.footage.follow import Sampling, follow
from reid_tf.footage.kept import Kept, join, stamp_of
from reid_tf.footage.people import Tracklets, Travel, find_people
from reid_tf.progress import progress_bar
from reid_tf.retrieval.calibration import Calibration

CROPS_FOLDER, KEPT_FOLDER, PEOPLE_FILE, PROBLEMS_FILE = "crops", "tracklets", "people.csv", "problems.csv"
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """Everybody in the footage.

    Args:
        kept: `Kept` of all cameras, earlier footage included.
        persons: int64 [N]. Of each tracklet, from 1; a person keeps the number when
            footage is added.
        probabilities: float64 [N]. That a tracklet shows its person, as the calibration
            has it of the mean distance to the person's others; NaN where there are none.
    """

    kept: Kept
    persons: np.ndarray
    probabilities: np.ndarray


def people_of(
    encoder: Encoder,
    cameras: Sequence[CameraFootage],
    out: str | Path,
    sampling: Sampling | None = None,
    probability: float | None = None,
    threshold: float | None = None,
    travel: Travel | None = None,
) -> People:
    """Finds the people in footage, and writes `people.csv`, crops, and what could not be read.

    A camera that was followed already, with the same files and options, is not followed
    again: interrupted work goes on, and new footage joins the people who are known.

    Args:
        encoder: `Encoder`.
        cameras: sequence of `CameraFootage`.
        out: str or Path. A folder, new or of earlier footage by the same encoder.
        sampling: `Sampling`, or None for the default one.
        probability: float in (0, 1), or None. Tracklets are joined while their mean
            distance has at least this calibrated probability of one person; None joins
            them within the calibrated threshold, the one of a false-accept rate.
        threshold: float, or None. The largest mean distance instead, for an encoder that
            is not calibrated.
        travel: as in `find_people()`.

    Returns:
        `People`.

    Raises:
        InputError: there is neither calibration nor threshold, footage of one camera
            overlaps, the folder is another encoder's, or footage cannot be read.
    """
    out, sampling = Path(out), sampling or Sampling()
    limit = _limit(encoder, probability, threshold)
    with claimed(out, folder=True):
        _check_times(cameras, out)
        for footage in cameras:
            _follow_once(encoder, footage, out, sampling)
        kept = join([Kept.load(path)[0] for path in sorted((out / KEPT_FOLDER).glob("*.npz"))])
        if not len(kept.tracklets):
            raise InputError(f"Footage must show somebody. Received: {len(cameras)} cameras, and nobody before them.")
        groups = find_people(kept.tracklets, limit, travel)
        persons = _named(kept.tracklets, groups, _known(out / PEOPLE_FILE))
        people = People(kept, persons, _probabilities(encoder.calibration, kept.tracklets, persons))
        write_csv(out / PROBLEMS_FILE, [{"problem": problem} for problem in kept.problems])
        write_csv(out / PEOPLE_FILE, _rows(people))
    return people


def forget(out: str | Path, persons: Sequence[int]) -> People:
    """Removes people from a folder of footage: their tracklets, crops and rows.

    They stay forgotten when the same footage is looked at again. Videos are not
    touched, nor are galleries.

    Args:
        out: str or Path. As `people_of()` wrote it.
        persons: sequence of int. Their numbers in `people.csv`.

    Returns:
        `People` who are left.

    Raises:
        InputError: the folder is none of footage, or somebody is not there.
    """
    out = Path(out)
    with claimed(out, folder=True):
        known = _known(out / PEOPLE_FILE)
        missing = sorted(set(persons) - set(known.values()))
        if missing:
            raise InputError(f"{str(out / PEOPLE_FILE)!r} has nobody of this number. Received: {missing[0]}.")
        for path in sorted((out / KEPT_FOLDER).glob("*.npz")):
            kept, stamp = Kept.load(path)
            gone = np.isin([known.get(key, 0) for key in _keys(kept.tracklets)], persons)
            for row in np.flatnonzero(gone).tolist():
                for name in kept.crops[row]:
                    (out / CROPS_FOLDER / name).unlink(missing_ok=True)
            if gone.any():
                kept.chosen(np.flatnonzero(~gone).tolist()).save(path, stamp)
        left = join([Kept.load(path)[0] for path in sorted((out / KEPT_FOLDER).glob("*.npz"))])
        numbers = np.array([known[key] for key in _keys(left.tracklets)], np.int64)
        people = People(left, numbers, np.full(len(numbers), np.nan))
        write_csv(out / PEOPLE_FILE, [row for row in _written(out / PEOPLE_FILE) if int(row["person"]) not in persons])
    return people


def _written(path: Path) -> list[dict[str, str]]:
    table = read_csv(path, ("person",))
    return [dict(zip(table.header, cells, strict=True)) for _, cells in table.lines]


def _keys(tracklets: Tracklets) -> list[tuple[str, str, str]]:
    """What tells a tracklet from all others: camera, track and start, as `people.csv` has them."""
    return [
        (str(camera), str(track), _moment(start))
        for camera, track, start in zip(tracklets.cameras, tracklets.tracks, tracklets.starts, strict=True)
    ]


def _limit(encoder: Encoder, probability: float | None, threshold: float | None) -> float:
    if threshold is not None:
        return threshold
    calibration = encoder.calibration
    if calibration is None or calibration.distance != "cosine":
        found = "none" if calibration is None else f"one of {calibration.distance} distances"
        raise InputError(
            f"People are told apart by a calibration of cosine distances (reid-tf calibrate) or a threshold. "
            f"Received: {found}, and threshold={threshold}."
        )
    return calibration.threshold if probability is None else calibration.distance_at(probability)


def _check_times(cameras: Sequence[CameraFootage], out: Path) -> None:
    """Footage of one camera, this one's and earlier, must not overlap."""
    for footage in cameras:
        for path in sorted((out / KEPT_FOLDER).glob(f"{footage.camera}-????????T??????.npz")):
            kept = Kept.load(path)[0].tracklets
            if path.stem == footage.name or not len(kept):
                continue
            if footage.start.timestamp() <= kept.ends.max():
                last = datetime.datetime.fromtimestamp(kept.ends.max(), footage.start.tzinfo)
                raise InputError(
                    f"Footage of camera {footage.camera!r} must begin after what is known of it, {last.isoformat()}: "
                    f"a clock runs backwards. Received: {footage.start.isoformat()}."
                )


def _follow_once(encoder: Encoder, footage: CameraFootage, out: Path, sampling: Sampling) -> None:
    path = out / KEPT_FOLDER / f"{footage.name}.npz"
    stamp = stamp_of(footage, sampling, encoder.fingerprint)
    if path.is_file():
        before = Kept.load(path)[1]
        differs = [name for name in stamp if stamp[name] != before.get(name)]
        if differs:
            raise InputError(
                f"{str(out)!r} holds footage of camera {footage.camera!r} that was followed otherwise, with other "
                f"{', '.join(differs)}: take a new folder. Received: {stamp[differs[0]]}, was {before.get(differs[0])}."
            )
        _LOG.info("Camera %s has been followed already.", footage.camera)
        return
    crops = out / CROPS_FOLDER
    crops.mkdir(parents=True, exist_ok=True)
    with progress_bar(what=f"following people past {footage.camera}", unit="frame") as bar:
        followed = follow(encoder, footage, crops, sampling, bar.update)
    Kept.of(followed, footage).save(path, stamp)
    for problem in followed.problems:
        _LOG.warning("%s", problem)


def _known(path: Path) -> dict[tuple[str, str, str], int]:
    """The persons of an earlier `people.csv`, by camera, track and start."""
    if not path.is_file() or not path.stat().st_size:  # nobody is left where all were forgotten
        return {}
    table = read_csv(path, ("person", "camera", "track", "from"))
    keys = zip(table.column("camera"), table.column("track"), table.column("from"), strict=True)
    return dict(zip(keys, table.numbers("person", whole=True).tolist(), strict=True))


def _named(tracklets: Tracklets, groups: np.ndarray, known: dict[tuple[str, str, str], int]) -> np.ndarray:
    """Numbers groups from 1; a group takes the number that most of its frames had before, if no other has more."""
    claims: dict[tuple[int, int], int] = Counter()
    for key, group, frames in zip(_keys(tracklets), groups.tolist(), tracklets.frames.tolist(), strict=True):
        if key in known:
            claims[group, known[key]] += frames
    names: dict[int, int] = {}
    for (group, person), _ in sorted(claims.items(), key=lambda claim: (-claim[1], claim[0])):
        if group not in names and person not in names.values():
            names[group] = person
    following = max([0, *known.values()]) + 1
    for group in range(int(groups.max(initial=-1)) + 1):
        if group not in names:
            names[group] = following
            following += 1
    return np.array([names[group] for group in groups.tolist()], np.int64)


def _probabilities(calibration: Calibration | None, tracklets: Tracklets, persons: np.ndarray) -> np.ndarray:
    found = np.full(len(persons), np.nan)
    if calibration is None or calibration.distance != "cosine":
        return found
    for person in np.unique(persons):
        rows = np.flatnonzero(persons == person)
        if len(rows) > 1:
            distances = 1.0 - tracklets.vectors[rows] @ tracklets.vectors[rows].T
            np.fill_diagonal(distances, 0)
            found[rows] = calibration.probability(distances.sum(axis=1) / (len(rows) - 1))
    return found


def _rows(people: People) -> list[dict[str, Any]]:
    tracklets = people.kept.tracklets
    order = np.lexsort((tracklets.starts, people.persons))
    return [
        {
            "person": int(people.persons[row]),
            "camera": tracklets.cameras[row],
            "track": tracklets.tracks[row],
            "from": _moment(tracklets.starts[row]),
            "to": _moment(tracklets.ends[row]),
            "probability": None if np.isnan(people.probabilities[row]) else f"{people.probabilities[row]:.3f}",
            "crop": next(iter(people.kept.crops[row]), None),
        }
        for row in order
    ]


def _moment(second: float) -> str:
    return datetime.datetime.fromtimestamp(float(second), datetime.UTC).isoformat(timespec="milliseconds")
