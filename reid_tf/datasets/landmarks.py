"""Body landmarks of a data set's images, computed once and kept in one `.npz` file beside them."""

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.map_records import map_records
from reid_tf.datasets.readers.npz import check_texts, read_npz
from reid_tf.datasets.record import NUM_LANDMARKS, Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.files import written_beside

logger = logging.getLogger(__name__)

LANDMARKS_FILE = "landmarks.npz"
SHAPE = (NUM_LANDMARKS, 3)
_TOLERANCE = 1e-4  # of the image: rounding in float32 is not an error


def read_landmarks(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a landmark file.

    Args:
        path: str or Path. An `.npz` with `paths` (text [N], relative to the data set's
            root, with `/`) and `landmarks` (float32 [N, 18, 3]).

    Returns:
        dict from image path to float32 [18, 3], as in `Record.landmarks`.

    Raises:
        InputError: the file is missing, of another kind or damaged, or holds values
            that are not landmarks.
    """
    arrays = read_npz(path, ("paths", "landmarks"))
    paths, landmarks = check_texts(path, "paths", arrays["paths"]), arrays["landmarks"]
    check_landmarks(paths, landmarks, str(path))
    return dict(zip(paths, landmarks.astype(np.float32), strict=True))


def read_detector(path: str | Path) -> dict[str, Any] | None:
    """Reads which detector made a landmark file.

    Args:
        path: str or Path. As in `read_landmarks()`.

    Returns:
        The detector's name and what else tells it apart from others, or None where the
        file does not say.

    Raises:
        InputError: the file is missing, of another kind or damaged.
    """
    arrays = read_npz(path, ("paths",), optional=("detector",))
    if "detector" not in arrays:
        return None
    try:
        detector: dict[str, Any] = json.loads(str(arrays["detector"]))
    except ValueError as error:
        raise InputError(f"{str(path)!r}: `detector` must be JSON text. Received: {arrays['detector']}.") from error
    return detector


def write_landmarks(
    path: str | Path, landmarks: Mapping[str, np.ndarray], detector: Mapping[str, Any] | None = None
) -> None:
    """Writes a landmark file in one step, sorted by image path.

    Args:
        path: str or Path. The file to write.
        landmarks: mapping of image path, relative to the data set's root and with `/`,
            to float [18, 3].
        detector: mapping of values that JSON has, or None. Which detector made them.

    Raises:
        InputError: values that are not landmarks.
    """
    paths = sorted(landmarks)
    for name in paths:
        if np.shape(landmarks[name]) != SHAPE:
            raise InputError(f"The landmarks of {name!r} must be [18, 3]. Received: {list(np.shape(landmarks[name]))}.")
    values = np.array([landmarks[name] for name in paths], np.float32).reshape(-1, *SHAPE)
    check_landmarks(paths, values, str(path))
    arrays: dict[str, Any] = {"paths": np.array(paths, np.str_), "landmarks": values}
    if detector is not None:
        arrays["detector"] = np.array(json.dumps(detector, sort_keys=True))
    with written_beside(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def relative_path(path: str, root: str | Path) -> str:
    """Returns what a landmark file calls an image: its path from the root on, with `/`; one outside keeps its path."""
    return Path(path).as_posix().removeprefix(f"{Path(root).as_posix()}/")


def add_landmarks(dataset: ReIDDataset, root: Path, path: str | None = None) -> ReIDDataset:
    """Returns the data set with its root and the landmarks of a file; images that the file lacks have none.

    A file in the root that names none of the images is warned of and left alone: it may
    belong to the other images that lie there, CUHK03's labeled ones beside its detected
    ones.

    Args:
        dataset: `ReIDDataset`.
        root: Path. The folder that the file's image paths are relative to.
        path: str, or None. The landmark file; None takes `landmarks.npz` in `root`,
            where there is one.

    Returns:
        `ReIDDataset`.

    Raises:
        InputError: as `read_landmarks()`, or the file at `path` names none of the data
            set's images.
    """
    dataset = dataclasses.replace(dataset, root=str(root))
    if path is None and not (root / LANDMARKS_FILE).exists():
        return dataset
    file = Path(path) if path is not None else root / LANDMARKS_FILE
    landmarks = read_landmarks(file)
    complete = map_records(lambda record: _with_landmarks(record, root, landmarks), dataset)
    useless = _names_none((record for split in complete.splits().values() for record in split), root, file, landmarks)
    if useless and path is not None:
        raise InputError(useless)
    if useless:
        logger.warning("%s", useless)
    return complete


def add_landmarks_to_records(records: Sequence[Record], root: Path) -> tuple[Record, ...]:
    """Returns records with the landmarks of the file `landmarks.npz` in their folder, where there is one.

    A file that names none of the images is warned of.

    Args:
        records: sequence of `Record`.
        root: Path. The folder that the file lies in and its image paths are relative
            to.

    Returns:
        tuple of `Record`; those that the file lacks are as they were.

    Raises:
        InputError: as `read_landmarks()`.
    """
    file = root / LANDMARKS_FILE
    if not file.exists():
        return tuple(records)
    landmarks = read_landmarks(file)
    complete = tuple(_with_landmarks(record, root, landmarks) for record in records)
    if useless := _names_none(complete, root, file, landmarks):
        logger.warning("%s", useless)
    return complete


def check_landmarks(paths: Sequence[str], landmarks: np.ndarray, where: str) -> None:
    """Refuses values that are not landmarks.

    Args:
        paths: sequence of N str. What the message calls the images.
        landmarks: [N, 18, 3]. As in `Record.landmarks`.
        where: str. Where they come from, for the message.

    Raises:
        InputError: another shape, no numbers, not finite, or a landmark that was found
            outside of its image.
    """
    if landmarks.shape != (len(paths), *SHAPE):
        raise InputError(
            f"{where!r}: `landmarks` must be [{len(paths)}, 18, 3] for {len(paths)} paths. "
            f"Received: {list(landmarks.shape)}."
        )
    if not np.issubdtype(landmarks.dtype, np.number):
        raise InputError(f"{where!r}: `landmarks` must hold numbers. Received: {landmarks.dtype}.")
    finite = np.isfinite(landmarks).all(axis=(1, 2))
    # A landmark that was not found (confidence 0) may lie anywhere; one that was found lies in the image.
    inside = (landmarks >= -_TOLERANCE) & (landmarks <= 1 + _TOLERANCE)
    unseen = landmarks[..., 2:] == 0
    for bad, rule in (
        (~finite, "finite numbers"),
        (~(inside | unseen).all(axis=(1, 2)), "x, y and confidence in [0, 1] (of the image, not pixels)"),
    ):
        if bad.any():
            index = int(bad.argmax())
            raise InputError(
                f"{where!r}: landmarks must be {rule}. Received for {paths[index]!r}: {landmarks[index].tolist()}."
            )


def _with_landmarks(record: Record, root: Path, landmarks: Mapping[str, np.ndarray]) -> Record:
    found = landmarks.get(relative_path(record.path, root))
    return record if found is None else dataclasses.replace(record, landmarks=found)


def _names_none(records: Iterable[Record], root: Path, file: Path, landmarks: Mapping[str, np.ndarray]) -> str | None:
    """The sentence for a file that has landmarks of none of the records, or None where it has some."""
    if any(record.landmarks is not None for record in records):
        return None
    first = next(iter(landmarks), None)
    return f"{str(file)!r} has landmarks of none of the images in {str(root)!r}: its first path is {first!r}."
