"""What a caller hands an encoder: images as paths, arrays or records, and perhaps landmarks or part boxes beside them.

Pixels come from `pipeline.decode`, as in training. Where TensorFlow is not installed,
`datasets.readers.pixels` reads them, to the bit, for the exported encoders that need none.
"""

import contextlib
import importlib.util
import itertools
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from reid_tf.datasets.landmarks import check_landmarks
from reid_tf.datasets.readers import pixels
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.pose.fields import as_inputs, check_fields, landmark_table, mirrored, need_landmarks
from reid_tf.pose.part_boxes import check_part_boxes

Image = np.ndarray | str | Path
Images = Sequence[Image]
OnError = Literal["raise", "nan"]
Thing = TypeVar("Thing")

_LOG = logging.getLogger(__name__)


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


def each_image(images: Iterable[Any]) -> Iterator[Image]:
    """Yields the images of anything that gives images: a list, a generator, a data loader of arrays, a data set.

    Args:
        images: iterable of paths, of arrays [height, width, 3], or of arrays [batch,
            height, width, 3], whose images come one after the other.

    Returns:
        iterator over the paths and arrays.

    Raises:
        InputError: it is a single image, or nothing that images come from.
    """
    shape = getattr(images, "shape", (None,) * 4)
    if isinstance(images, str | bytes | Path):
        raise InputError(f"Images must be a sequence of paths or arrays. Received: {images!r}.")
    if len(shape) not in (1, 4):  # an array of paths has one axis
        raise InputError(
            "A single image goes in a list, encoder([image]), and several of one size may be an array [batch, height, "
            f"width, 3]. Received: an array of shape {list(shape)}."
        )
    if not isinstance(images, Iterable) or isinstance(images, Mapping):
        raise InputError(f"Images must be paths or arrays, one after the other. Received: {type(images).__name__}.")
    return (image for given in images for image in (np.asarray(given) if _is_batch(given) else (given,)))


def _is_batch(given: Any) -> bool:
    return len(getattr(given, "shape", ())) == 4


def in_batches(things: Iterable[Thing], batch_size: int) -> Iterator[tuple[int, list[Thing]]]:
    """Yields lists of at most `batch_size` images, or whatever else, each with the position of its first one."""
    things, first = iter(things), 0
    while batch := list(itertools.islice(things, batch_size)):
        yield first, batch
        first += len(batch)


def load_sound(images: Images, image_size: tuple[int, int], first: int) -> tuple[np.ndarray, dict[int, str]]:
    """Brings those images to one size that can be read.

    Args:
        images: sequence of paths, or of RGB arrays.
        image_size: (int, int). Height and width wanted.
        first: int. The position of the first one among the caller's images.

    Returns:
        uint8 [sound images, *image_size, 3]; and a dict from the position of each other
        one to a sentence that says what is wrong with it.

    Raises:
        InputError: there are paths and arrays.
    """
    paths_and_arrays(images)
    try:
        return load_pixels(images, image_size), {}
    except ValueError:  # an InputError, or rows that are no array
        sound, refused = [], {}
        for position, image in enumerate(images, first):
            try:
                sound.append(load_pixels([_checked(image, position)], image_size)[0])
            except InputError as error:
                refused[position] = str(error)
        return np.array(sound, np.uint8).reshape(-1, *image_size, 3), refused


def _checked(image: Any, position: int) -> Image:
    if isinstance(image, str | Path):
        return image
    if image is None:
        raise InputError(f"Image {position} is {image}, which is what cv2.imread gives for a file that it cannot read.")
    try:
        return pixels.check_image(np.asarray(image), position)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"Image {position} is no array [height, width, 3] ({error}).") from None


def check_on_error(on_error: str) -> None:
    """Raises an `InputError` unless this is one of the ways to treat images that cannot be read."""
    if on_error not in get_args(OnError):
        raise InputError(f"on_error must be 'raise' or 'nan'. Received: on_error={on_error!r}.")


def report_refused(refused: Mapping[int, str], images: Mapping[int, Image], on_error: OnError) -> None:
    """Raises, or logs, what is wrong with some images.

    Args:
        refused: mapping from position to a sentence. May be empty.
        images: mapping from those positions to the images.
        on_error: "raise" or "nan".

    Raises:
        InputError: there are some, and `on_error` is "raise".
    """
    if not refused:
        return
    position, reason = min(refused.items())
    named = f" (image {position})" if isinstance(images[position], str | Path) else ""
    others = ", ".join(map(str, sorted(refused)[1:]))
    more = f"; so are images {others}" if "," in others else f"; so is image {others}" if others else ""
    message = f"{reason.removesuffix('.')}{named}{more}."
    if on_error == "raise":
        raise InputError(message)
    _LOG.warning("%s Their rows are NaN.", message)


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
        self._paths = [record.path for record in records]
        self._landmarks = landmark_table(records) if need_landmarks(inputs.values()) else None
        self._inputs, self._image_size, self._mirror = inputs, image_size, mirror
        self._batch_size = whole_number("batch_size", batch_size)

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
