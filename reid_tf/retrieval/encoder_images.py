"""What a caller hands an encoder: images as paths or arrays, and perhaps landmarks or part boxes beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.landmarks import check_landmarks
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import load_images, resize_images
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
            raise InputError(f"{field} must be as many as the images. Received: {len(values)} for {count} images.")
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
        InputError: an image cannot be read or is no image, or there are paths and arrays.
    """
    paths, arrays = paths_and_arrays(images)
    return load_images(paths, image_size) if paths else resize_images(arrays, image_size)


def paths_and_arrays(images: Images) -> tuple[list[str], list[np.ndarray]]:
    """Returns images as paths and none as arrays, or the other way round; both together raise `InputError`."""
    if isinstance(images, str | bytes | Path):
        raise InputError(f"Images are a sequence of paths or arrays. Received: {images!r}.")
    paths = [str(image) for image in images if isinstance(image, str | Path)]
    arrays = [image for image in images if not isinstance(image, str | Path)]
    if paths and arrays:
        raise InputError(f"Images are all arrays or all paths. Received: {len(arrays)} arrays, {len(paths)} paths.")
    return paths, arrays
