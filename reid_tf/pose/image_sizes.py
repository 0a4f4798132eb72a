"""The size of an image file."""

from reid_tf.datasets.readers.encoded import read_encoded
from reid_tf.errors import InputError

_JPEG = b"\xff\xd8\xff"


def image_size(path: str) -> tuple[int, int]:
    """Returns an image's width and height in pixels; of a JPEG only the header is looked at.

    Args:
        path: str. A `Record.path`.

    Raises:
        InputError: the file is missing or is not an image.
    """
    import tensorflow as tf  # models read this room's constants, and do without TensorFlow

    encoded = read_encoded([path])[0]
    try:
        if encoded.startswith(_JPEG):
            height, width, _ = tf.io.extract_jpeg_shape(encoded).numpy().tolist()
        else:
            height, width, _ = tf.io.decode_image(encoded, channels=3, expand_animations=False).shape
    except tf.errors.InvalidArgumentError as error:
        raise InputError(f"The file {path!r} ({len(encoded)} bytes) is not a valid image.") from error
    return int(width), int(height)
