"""The size of an image file."""

from reid_tf.datasets.readers.encoded import read_encoded
from reid_tf.datasets.readers.image_file import not_an_image, read_header
from reid_tf.errors import InputError


def image_size(path: str) -> tuple[int, int]:
    """Returns an image's width and height in pixels as it is shown; only the header of a file is looked at.

    Args:
        path: str. A `Record.path`.

    Raises:
        InputError: the file is missing or is not an image.
    """
    encoded = read_encoded([path])[0]
    header = read_header(encoded)
    if header is None:
        raise InputError(not_an_image(path, encoded))
    return header.upright_size
