"""From encoded image to pixels: the one decode and the one resize of the package.

Training, encoders and exported models take their pixels from here, because libraries
decode the same JPEG and resize the same pixels to different values, and an embedding
follows them.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from reid_tf.datasets.readers.encoded import read_encoded
from reid_tf.datasets.readers.image_file import JPEG, PNG, not_an_image, read_header, too_large
from reid_tf.datasets.readers.image_file import max_pixels as allowed_pixels
from reid_tf.datasets.readers.pixels import check_image
from reid_tf.errors import InputError
from reid_tf.pipeline.orientation import may_lie, turned_upright

ImageSize = tuple[int, int]
_Operation = Callable[[tf.Tensor], tf.Tensor]

_IMAGES_AT_ONCE = 256

# What reading and decoding raise; running out of memory, for one, has nothing to do with a file.
_FILE_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.UnknownError,
)


def decode(encoded: tf.Tensor, max_pixels: int | None = None) -> tf.Tensor:
    """Decodes a JPEG or PNG and turns it upright, as EXIF's note of the camera's orientation says.

    JPEG is decoded by the accurate transform, so that the pixels are those of OpenCV
    and Pillow, to the bit. Files of other formats become PNG where they are read, see
    `read_encoded`.

    Args:
        encoded: scalar string. The file's bytes.
        max_pixels: int, or None for `image_file.max_pixels()`. The most pixels of an
            image, compared with its header before memory for the pixels is taken.

    Returns:
        uint8 [height, width, 3], RGB. The operation fails with `InvalidArgumentError`
        where the bytes are not such an image, or one with too many pixels.
    """
    most = allowed_pixels() if max_pixels is None else max_pixels

    def decoded(count: _Operation, read: _Operation) -> tf.Tensor:
        pixels = count(encoded)

        def checked() -> tf.Tensor:
            message = tf.strings.format(f"an image has {{}} pixels, more than the {most} allowed", pixels)
            with tf.control_dependencies([tf.debugging.Assert(pixels <= most, [message])]):
                return turned_upright(read(tf.identity(encoded)), encoded)

        # Few operations for what most images are: each takes a tenth of the time in which a crop is decoded.
        return tf.cond((pixels <= most) & ~may_lie(encoded), lambda: read(encoded), checked)

    image = tf.cond(
        begins_with(encoded, JPEG),
        lambda: decoded(_jpeg_pixels, lambda file: tf.io.decode_jpeg(file, 3, dct_method="INTEGER_ACCURATE")),
        lambda: decoded(_png_pixels, lambda file: tf.io.decode_png(file, 3)),
    )
    return tf.ensure_shape(image, [None, None, 3])


def count_pixels(encoded: tf.Tensor) -> tf.Tensor:
    """Reads how many pixels an image has from its header.

    Args:
        encoded: scalar string. The bytes of a JPEG or PNG file.

    Returns:
        Scalar int64. The operation fails with `InvalidArgumentError` where the bytes
        are neither.
    """
    return tf.cond(begins_with(encoded, JPEG), lambda: _jpeg_pixels(encoded), lambda: _png_pixels(encoded))


def begins_with(encoded: tf.Tensor, signature: bytes) -> tf.Tensor:
    """Returns whether strings begin with some bytes: bool of their shape."""
    return tf.strings.substr(encoded, 0, len(signature)) == signature


def _jpeg_pixels(encoded: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64))


def _png_pixels(encoded: tf.Tensor) -> tf.Tensor:
    """Width times height, which stand in the chunk IHDR, always the first."""
    # Asked here: the error of what takes bytes from a string would hold the string, which is no text.
    has_header = begins_with(encoded, PNG) & (tf.strings.length(encoded) >= 24)
    with tf.control_dependencies([tf.debugging.Assert(has_header, ["neither JPEG nor PNG"])]):
        size = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.int32, little_endian=False)
    return tf.reduce_prod(tf.cast(tf.bitcast(size, tf.uint32), tf.int64))


def resize(image: tf.Tensor, image_size: ImageSize) -> tf.Tensor:
    """Resizes an image bilinearly, with an anti-aliasing filter where it shrinks.

    An image that has the size already is returned as it is.

    Args:
        image: uint8 or float [height, width, 3], values 0..255.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [*image_size, 3], rounded.
    """
    size = tf.shape(image)[:2]

    def resized() -> tf.Tensor:
        # The filter has no effect on an image that only grows, and without it the operation takes a third of the time.
        pixels = tf.cond(
            tf.reduce_all(size <= image_size),
            lambda: tf.image.resize(image, image_size),
            lambda: tf.image.resize(image, image_size, antialias=True),
        )
        return tf.cast(tf.round(pixels), tf.uint8)

    same = tf.reduce_all(size == image_size)
    pixels = tf.cond(same, lambda: tf.cast(image, tf.uint8), resized)
    return tf.ensure_shape(pixels, [*image_size, 3])


def decode_and_resize(encoded: tf.Tensor, image_size: ImageSize) -> tf.Tensor:
    """Decodes an image and brings it to a size.

    Args:
        encoded: scalar string. The bytes of a JPEG or PNG file.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [*image_size, 3], RGB.
    """
    return resize(decode(encoded), image_size)


def decode_batch(encoded: tf.Tensor, image_size: ImageSize) -> tf.Tensor:
    """Decodes and resizes several images, side by side on the machine's cores.

    Args:
        encoded: string [batch]. Each the bytes of a JPEG or PNG file.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [batch, *image_size, 3], RGB.
    """
    return _compiled_decode(encoded, image_size, allowed_pixels())


@tf.function(reduce_retracing=True, autograph=False)
def _compiled_decode(encoded: tf.Tensor, image_size: ImageSize, max_pixels: int) -> tf.Tensor:
    return tf.map_fn(
        lambda image: resize(decode(image, max_pixels), image_size),
        encoded,
        fn_output_signature=tf.TensorSpec([*image_size, 3], tf.uint8),
    )


# Operation by operation it would take twice the time; one graph serves images of all sizes.
_compiled_resize = tf.function(resize, reduce_retracing=True, autograph=False)


def resize_images(images: Sequence[np.ndarray], image_size: ImageSize) -> np.ndarray:
    """Brings images in memory to a size, with the same pixels as if they came from files.

    Args:
        images: [N, height, width, 3] or a sequence of [height, width, 3] of any sizes,
            RGB: uint8, or float 0..255.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [N, *image_size, 3].

    Raises:
        InputError: an image has another shape or other values.
    """
    resized = np.empty((len(images), *image_size, 3), np.uint8)
    with tf.device("CPU:0"):
        for position, image in enumerate(images):
            resized[position] = _compiled_resize(check_image(np.asarray(image), position), image_size)
    return resized


def read_image(path: str) -> np.ndarray:
    """Reads one image in its own size.

    Args:
        path: str. An image file, or a place in a prepared data set.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        InputError: the file is missing, is not an image or has too many pixels.
    """
    with naming_broken_images([path]):
        return decode(tf.constant(read_encoded([path])[0])).numpy()


def load_images(paths: Sequence[str], image_size: ImageSize) -> np.ndarray:
    """Reads images and brings them to one size.

    Args:
        paths: sequence of str. `Record.path`s.
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [N, *image_size, 3], RGB.

    Raises:
        InputError: a file is missing, is not an image or has too many pixels.
    """
    images = np.empty((len(paths), *image_size, 3), np.uint8)
    with naming_broken_images(paths), tf.device("CPU:0"):
        for start in range(0, len(paths), _IMAGES_AT_ONCE):
            encoded = tf.constant(read_encoded(paths[start : start + _IMAGES_AT_ONCE]))
            images[start : start + _IMAGES_AT_ONCE] = decode_batch(encoded, image_size)
    return images


@contextlib.contextmanager
def naming_broken_images(paths: Iterable[str]) -> Iterator[None]:
    """Turns a failure of TensorFlow in the block into an `InputError` that names the broken image, if there is one.

    The error of an operation inside a data set or a training step does not say which
    file it was at; so the files are tried one after the other when it has happened.
    Where all are intact, the error is another one and passes.

    Args:
        paths: iterable of str. The images that the block may read.

    Raises:
        InputError: the block failed and one of the images is missing or cannot be
            decoded.
    """
    try:
        yield
    except _FILE_ERRORS:
        for path in paths:
            problem = _problem(path)
            if problem is not None:
                raise InputError(problem) from None
        raise


def _problem(path: str) -> str | None:
    """One sentence on what is wrong with an image, or None."""
    try:
        encoded = read_encoded([path])[0]
    except InputError as error:
        return str(error)
    problem = too_large(read_header(encoded))
    if problem:
        return f"The file {path!r} {problem}."
    try:
        decode(tf.constant(encoded))
    except tf.errors.InvalidArgumentError:
        return not_an_image(path, encoded)
    return None
