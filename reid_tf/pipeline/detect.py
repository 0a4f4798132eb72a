"""Landmarks of images, found while the next images are read."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from reid_tf.datasets.record import Record
from reid_tf.pipeline.build import evaluation_batches
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.pose.detector import LandmarkDetector


def detect_landmarks(
    detector: LandmarkDetector, records: Sequence[Record], batch_size: int = 64
) -> Iterator[np.ndarray]:
    """Finds the landmarks of images, read and resized in parallel.

    A detector that does not look at pixels is called once, with all paths.

    Args:
        detector: `LandmarkDetector`.
        records: sequence of `Record`. Landmarks that they have are not looked at.
        batch_size: int >= 1. Images that the detector gets at once.

    Yields:
        float32 [18, 3] per image, in the order of the records.

    Raises:
        InputError: an image cannot be read, the batch size is below 1, or the
            detector's own.
    """
    paths = [record.path for record in records]
    if not paths:
        return
    if detector.image_size is None:
        yield from detector(None, paths)
        return
    with naming_broken_images(paths):
        images = evaluation_batches(records, detector.image_size, batch_size).as_numpy_iterator()
        for start in range(0, len(paths), batch_size):
            yield from detector(next(images), paths[start : start + batch_size])


def detect_missing(detector: LandmarkDetector, records: Sequence[Record], batch_size: int = 64) -> tuple[Record, ...]:
    """Returns records that all have landmarks: their own, or those that a detector finds.

    Args:
        detector: `LandmarkDetector`.
        records: sequence of `Record`.
        batch_size: int >= 1. Images that the detector gets at once.

    Returns:
        tuple of `Record`, in the same order.

    Raises:
        InputError: as `detect_landmarks()`.
    """
    found = detect_landmarks(detector, [record for record in records if record.landmarks is None], batch_size)
    return tuple(
        dataclasses.replace(record, landmarks=next(found)) if record.landmarks is None else record for record in records
    )
