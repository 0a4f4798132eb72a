"""What a caller hands an encoder: images as paths, arrays or records, and perhaps landmarks or part boxes beside them.

Pixels come from `pipeline.decode`, as in training. Where TensorFlow is not installed,
`datasets.readers.pixels` reads them, to the bit, for the exported encoders that need none.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.landmarks import check_landmarks
from reid_tf.datasets.readers import pixels
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pose.fields import as_inputs, check_fields, landmark_table, mirrored, need_landmarks
from reid_tf.pose.part_boxes import check_part_boxes

Images = Sequence[np.ndarray | str | Path]


def given_beside(count: int, landmarks: np.ndarray | None, part_boxes: np.ndarray | None) -> dict[str, np.ndarray]:
    """Checks what a caller gave beside the images.

    Args:
        count: int. Number of images.
        landmarks: float [count, 18, 3], or None.
        part_boxes: float [count, 3, 4], or None.

    Returns:
        dict from the field to float32, of what was given.

    Raises:
        InputError: they are not as many as the images, or wrong.
    """
    given = {"landmarks": landmarks, "part_boxes": part_boxes}
    fields = {field: np.asarray(values, np.float32) for field, values in given.items() if values is not None}
    for field, values in fields.items():
        if len(values) != count:
            raise InputError(f"There must be as many {field} as images. Received: {len(values)} for {count} images.")
    if "landmarks" in fields:
        check_landmarks([f"image {index}" for index in range(count)], fields["landmarks"], "landmarks")
    if "part_boxes" in fields:
        check_part_boxes(fields["part_boxes"])
    return fields


def load_pixels(images: Images, image_size: tuple[int, int]) -> np.ndarray:
    """Brings paths or arrays to one size: uint8 [len(images), *image_size, 3].

    Args:
        images: sequence of paths, or of RGB arrays.
        image_size: (int, int). Height and width wanted.

    Raises:
        InputError: an image cannot be read or is not an image, or there are paths and
            arrays.
    """
    paths, arrays = paths_and_arrays(images)
    if paths:
        return _reader().load_images(paths, image_size)
    # Both resize to the same pixels; the faster one is not worth loading TensorFlow for.
    return (_reader() if "tensorflow" in sys.modules else pixels).resize_images(arrays, image_size)


def paths_and_arrays(images: Images) -> tuple[list[str], list[np.ndarray]]:
    """Returns images as paths and none as arrays, or the other way round; both together raise `InputError`."""
    if isinstance(images, str | bytes | Path):
        raise InputError(f"Images must be a sequence of paths or arrays. Received: {images!r}.")
    paths = [str(image) for image in images if isinstance(image, str | Path)]
    arrays = [image for image in images if not isinstance(image, str | Path)]
    if paths and arrays:
        raise InputError(f"Images must be all arrays or all paths. Received: {len(arrays)} arrays, {len(paths)} paths.")
    return paths, arrays


def record_batches(
    records: Sequence[Record], inputs: Mapping[str, str], image_size: tuple[int, int], batch_size: int, mirror: bool
) -> Any:
    """Makes the stream of an encoder's inputs, once and in order.

    Args:
        records: sequence of `Record`.
        inputs: mapping from input name to record field, as in `System.inputs`.
        image_size: (int, int). Height and width that images are resized to.
        batch_size: int >= 1. Images in a batch; the last one may be smaller.
        mirror: bool. Whether left and right are exchanged.

    Returns:
        tf.data.Dataset of dict from input name to tensor, or `PlainBatches` of arrays.

    Raises:
        InputError: an input's field does not exist or a record lacks it, or the batch
            size is below 1.
    """
    if not _tensorflow_is_installed():
        return PlainBatches(records, inputs, image_size, batch_size, mirror)
    from reid_tf.pipeline.build import input_batches

    return input_batches(records, inputs, image_size, batch_size, mirror)


class PlainBatches:
    """`pipeline.build.input_batches` without TensorFlow: one batch after the other, as NumPy arrays.

    Args:
        records: sequence of `Record`.
        inputs: mapping from input name to record field.
        image_size: (int, int).
        batch_size: int >= 1.
        mirror: bool.

    Raises:
        InputError: as `record_batches()`.
    """

    def __init__(
        self,
        records: Sequence[Record],
        inputs: Mapping[str, str],
        image_size: tuple[int, int],
        batch_size: int,
        mirror: bool,
    ) -> None:
        check_fields(inputs)
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1. Received: {batch_size}.")
        self._paths = [record.path for record in records]
        self._landmarks = landmark_table(records) if need_landmarks(inputs.values()) else None
        self._inputs, self._image_size, self._batch_size, self._mirror = inputs, image_size, batch_size, mirror

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self._paths) // self._batch_size)

    def as_numpy_iterator(self) -> Iterator[dict[str, np.ndarray]]:
        """Yields dicts from input name to array."""
        for start in range(0, len(self._paths), self._batch_size):
            rows = slice(start, start + self._batch_size)
            batch = {"image": pixels.load_images(self._paths[rows], self._image_size)}
            if self._landmarks is not None:
                batch["landmarks"] = self._landmarks[rows]
            yield as_inputs(mirrored(batch) if self._mirror else batch, self._inputs)


def naming_broken_images(paths: Iterable[str]) -> contextlib.AbstractContextManager[None]:
    """Turns TensorFlow's failure in the block into an `InputError` that names the broken image, if there is one.

    Args:
        paths: iterable of str. The images that the block may read.
    """
    if not _tensorflow_is_installed():
        return contextlib.nullcontext()  # what reads images here names them itself
    from reid_tf.pipeline import decode

    return decode.naming_broken_images(paths)


def _tensorflow_is_installed() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


def _reader() -> Any:
    """The module whose `load_images` and `resize_images` give the pixels."""
    if not _tensorflow_is_installed():
        return pixels
    from reid_tf.pipeline import decode

    return decode
