"""TownCentre: one street seen by one camera, 230 persons tracked through a video."""

import logging
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from reid_tf.datasets.attributes.labels import add_attributes, annotation_labels
from reid_tf.datasets.crop_folder import STAMP_FILE
from reid_tf.datasets.doctor.findings import counted
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import contents, existing_root, read_folder
from reid_tf.datasets.readers.video import VIDEO_SUFFIXES
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.datasets.track_crops import CropParameters, check_crops, extract_crops
from reid_tf.errors import InputError
from reid_tf.options import Count, Whole
from reid_tf.registry import DATASETS

BOX_FILE = "TownCentre-groundtruth.top"
ATTRIBUTES_FILE = "attributes.csv"
FRAMES_FOLDER = "frames"
CROPS_FOLDER = "crops"
EXAMPLE = "0012_c0_f000345.jpg"
NAME = re.compile(r"(?P<identity>\d+)_c(?P<camera>0)_f\d+\.jpg")

_LOG = logging.getLogger(__name__)


@DATASETS.register("town_centre")
def town_centre(
    root: str | None,
    *,
    crops: str | None = None,
    every: Count = 5,
    min_height: Whole = 48,
    min_width: Whole = 16,
    quality: Count = 95,
    train_share: float = 0.5,
    query_share: float = 0.5,
    attributes: str | None = None,
    landmarks: str | None = None,
) -> ReIDDataset:
    """Makes a data set of crops from TownCentre's video and its ground-truth boxes.

    An identity is a track. The tracks with the lowest numbers, who walk by first,
    train; each of the others is split by time, its first crops into queries and the
    rest into the gallery. A test track of one crop cannot be found and is dropped; the
    log says how many. There is one camera, number 0: evaluate with the protocol
    `single_camera`.

    The crops are cut out at the first call, in one pass through the video.

    Args:
        root: str, or None. The folder with `TownCentre-groundtruth.top` and one video
            file (`TownCentreXVID.avi`) or, where there is no video, the folder
            `frames/` of its frames as images named by their number.
        crops: str, or None. The folder for the crops; None takes `crops/` in the root.
            Crops that were made with other options or from other files are never mixed
            or replaced: an error says so.
        every: int >= 1. Crops come from frames 0, every, 2 * every, ... The default
            takes five per second at the video's 25 frames: neighbouring frames are
            nearly the same image.
        min_height: int >= 1. Boxes with less height in pixels inside the frame are left
            out.
        min_width: int >= 1. Likewise for the width.
        quality: int, 1 to 100. Of the crops' JPEG files.
        train_share: float in [0, 1). How many of the tracks train.
        query_share: float in (0, 1). How much of a test track is in the queries, by
            number of crops; at least one crop of each track is in either part.
        attributes: str, or None. A CSV file of annotations (`annotation_csv.py`) with
            the track number as `id`; None takes `attributes.csv` in the root, if it is
            there.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` in the
            root, if it is there.

    Returns:
        `ReIDDataset`, each split by track and time.

    Raises:
        InputError: a share is out of its range or leaves no track to test, or the
            boxes, the video or the crops are missing, unreadable, too short or not made
            with these options.

    References:
        Benfold and Reid, Stable Multi-Target Tracking in Real-Time Surveillance Video,
        CVPR 2011; Agrawal and Namboodiri, Joint Attribute Learning for Deep Person
        Re-Identification, section IV-A.
    """
    _check_shares(train_share, query_share)
    top = existing_root(root, "town_centre")
    folder = Path(crops) if crops is not None else top / CROPS_FOLDER
    _make_crops(top, folder, CropParameters(every, min_height, min_width, quality))
    train, query, gallery = _split(read_folder(folder, NAME, EXAMPLE), train_share, query_share)
    dataset = ReIDDataset("town_centre", train, query, gallery)
    if attributes is not None or (top / ATTRIBUTES_FILE).is_file():
        dataset = add_attributes(dataset, annotation_labels(attributes or top / ATTRIBUTES_FILE))
    return add_landmarks(dataset, top, landmarks)


def _check_shares(train_share: float, query_share: float) -> None:
    if not 0 <= train_share < 1:
        raise InputError(f"train_share must be at least 0 and less than 1. Received: train_share={train_share}.")
    if not 0 < query_share < 1:
        raise InputError(f"query_share must be between 0 and 1, both excluded. Received: query_share={query_share}.")


def _make_crops(root: Path, folder: Path, parameters: CropParameters) -> None:
    """Leaves the folder with all the crops of the video, whether they are there already or not."""
    frames = _find_frames(root)
    boxes = root / BOX_FILE if (root / BOX_FILE).is_file() else None
    if not (folder / STAMP_FILE).is_file():
        if frames is None or boxes is None:
            raise InputError(
                f"The data set 'town_centre' needs {BOX_FILE} and one video ({', '.join(VIDEO_SUFFIXES)}) or the "
                f"folder {FRAMES_FOLDER!r}; found in {str(root)!r}: {contents(root)}."
            )
        extract_crops(folder, frames, boxes, parameters)
    check_crops(folder, frames, boxes, parameters)


def _find_frames(root: Path) -> Path | None:
    videos = sorted(file for file in root.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES)
    if len(videos) > 1:
        raise InputError(f"The folder {str(root)!r} must hold one video. Received: {contents(root)}.")
    if videos:
        return videos[0]
    return root / FRAMES_FOLDER if (root / FRAMES_FOLDER).is_dir() else None


def _split(
    records: Sequence[Record], train_share: float, query_share: float
) -> tuple[tuple[Record, ...], tuple[Record, ...], tuple[Record, ...]]:
    """Splits records, of one track after the other and each in its order of time, into train, query and gallery."""
    tracks = [list(track) for _, track in groupby(records, key=lambda record: record.identity)]
    tracks.sort(key=lambda track: track[0].identity)  # names of numbers beyond 9999 sort otherwise
    trained = round(train_share * len(tracks))
    tested = [track for track in tracks[trained:] if len(track) > 1]
    if not tested:
        raise InputError(
            f"train_share must leave at least one track of two or more crops to test: {trained} of {len(tracks)} "
            f"tracks train. Received: train_share={train_share}."
        )
    dropped = len(tracks) - trained - len(tested)
    if dropped:
        _LOG.info("Dropped %s of one crop, which cannot be query and gallery.", counted(dropped, "test track"))
    query: list[Record] = []
    gallery: list[Record] = []
    for track in tested:
        first = min(max(round(query_share * len(track)), 1), len(track) - 1)
        query += track[:first]
        gallery += track[first:]
    return tuple(record for track in tracks[:trained] for record in track), tuple(query), tuple(gallery)
