"""Images as a request carries them: the bytes of files, in base 64."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reid_tf.datasets.readers.image_file import as_jpeg_or_png
from reid_tf.errors import InputError

ClientImage = str | Path | bytes | np.ndarray


def image_bytes(image: ClientImage) -> bytes:
    """The bytes of an image file: those of a path, those given, or a PNG of an array.

    Args:
        image: path of an image file, which is sent as PNG where it is neither JPEG nor
            PNG, the bytes of a JPEG or PNG file, or an RGB array uint8 [height, width,
            3].

    Returns:
        bytes.

    Raises:
        InputError: the file cannot be read, or the array is not an RGB image; a
            sentence without its subject, as those of the server.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        try:
            return as_jpeg_or_png(Path(image).read_bytes(), "the image")
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from None
    try:
        array = np.asarray(image)
    except ValueError as error:
        raise InputError(f"must be an array uint8 [height, width, 3], and is not ({error})") from None
    if array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape or array.dtype != np.uint8:
        raise InputError(f"must be an array uint8 [height, width, 3], and is {array.dtype} {list(array.shape)}")
    return cv2.imencode(".png", array[..., ::-1])[1].tobytes()


def in_base64(encoded: bytes) -> dict[str, str]:
    """The JSON value that stands for bytes."""
    return {"b64": base64.b64encode(encoded).decode("ascii")}


def called(position: int, images: Sequence[Any]) -> str:
    """What a message calls the image or the pair of images at a position: its path where it has one, too."""
    paths = [repr(str(image)) for image in images if isinstance(image, str | Path)]
    return f"{position}{' (' + ', '.join(paths) + ')' if paths else ''}"
