"""Body landmarks of a data set's images, computed once and kept in one `.npz` file beside them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reid_tf.datasets.map_records import map_records
from reid_tf.datasets.npz_file import read_npz
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.files import written_beside

LANDMARKS_FILE = "landmarks.npz"
SHAPE = (18, 3)
_TOLERANCE = 1e-4  # of the image: rounding in float32 is no error


def read_landmarks(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a landmark file.

    Args:
        path: str or Path. An `.npz` with `paths` (text [N], relative to the data set's root, with `/`) and `landmarks`
            (float32 [N, 18, 3]).

    Returns:
        dict from image path to float32 [18, 3], as in `Record.landmarks`.

    Raises:
        InputError: the file is missing, of another kind or damaged, or holds values that are no landmarks.
    """
    arrays = read_npz(path, ("paths", "landmarks"))
    paths, landmarks = arrays["paths"].tolist(), arrays["landmarks"]
    if landmarks.shape != (len(paths), *SHAPE):
        raise InputError(
            f"{str(path)!r}: `landmarks` must be [{len(paths)}, 18, 3] for {len(paths)} paths. "
            f"Received: {list(landmarks.shape)}."
        )
    _check(paths, landmarks, str(path))
    return dict(zip(paths, landmarks.astype(np.float32), strict=True))


def write_landmarks(path: str | Path, landmarks: Mapping[str, np.ndarray]) -> None:
    """Writes a landmark file in one step, sorted by image path.

    Args:
        path: str or Path. The file to write.
        landmarks: mapping of image path, relative to the data set's root and with `/`, to float [18, 3].

    Raises:
        InputError: values that are no landmarks.
    """
    paths = sorted(landmarks)
    for name in paths:
        if np.shape(landmarks[name]) != SHAPE:
            raise InputError(f"The landmarks of {name!r} must be [18, 3]. Received: {list(np.shape(landmarks[name]))}.")
    values = np.array([landmarks[name] for name in paths], np.float32).reshape(-1, *SHAPE)
    _check(paths, values, str(path))
    with written_beside(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, paths=np.array(paths, np.str_), landmarks=values)


def add_landmarks(dataset: ReIDDataset, root: Path, path: str | None = None) -> ReIDDataset:
    """Returns the data set with the landmarks of a file; images that the file lacks have none.

    Args:
        dataset: `ReIDDataset`.
        root: Path. The folder that the file's image paths are relative to.
        path: str, or None. The landmark file; None takes `landmarks.npz` in `root`, where there is one.

    Returns:
        `ReIDDataset`.

    Raises:
        InputError: as `read_landmarks()`, or the file names none of the data set's images.
    """
    if path is None and not (root / LANDMARKS_FILE).exists():
        return dataset
    file = Path(path) if path is not None else root / LANDMARKS_FILE
    landmarks = read_landmarks(file)
    prefix = f"{root.as_posix()}/"

    def with_landmarks(record: Record) -> Record:
        found = landmarks.get(Path(record.path).as_posix().removeprefix(prefix))
        return record if found is None else dataclasses.replace(record, landmarks=found)

    complete = map_records(with_landmarks, dataset)
    if all(record.landmarks is None for split in complete.splits().values() for record in split):
        first = next(iter(landmarks), None)
        raise InputError(
            f"{str(file)!r} has landmarks of none of the images in {str(root)!r}: its first path is {first!r}."
        )
    return complete


def _check(paths: list[str], landmarks: np.ndarray, where: str) -> None:
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
