"""Encoded images -> pixels inside a served graph, with an error that names every image it refuses.

A request is one batch, and one failing operation fails all of it without a word on which image it was. So the images
are read by a small tf.data pipeline, which goes on behind an image that cannot be decoded; what is missing at its end
is named together with what the headers already ruled out.
"""

import functools

import tensorflow as tf

from reid_tf.pipeline.decode import ImageSize, decode, resize

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_UNSOUND = " is not a sound JPEG or PNG"
# Bytes as an error may show them: servers put its text between quotes, and clients look for its brackets.
_SHOWN = [chr(byte) if 32 <= byte < 127 and chr(byte) not in "\"'[]\\" else f"<{byte:02x}>" for byte in range(256)]


def decode_images(encoded: tf.Tensor, image_size: ImageSize, max_pixels: int, name: str = "image") -> tf.Tensor:
    """Decodes and resizes the images of a request, side by side; an empty request gives no images.

    The size in pixels is read from the header, before memory for the pixels is taken. The graph fails with
    `InvalidArgumentError` where an image is neither JPEG nor PNG, has too many pixels, or is broken; the message names
    the position and the length in bytes of every such image.

    Args:
        encoded: string [batch]. Each the bytes of a JPEG or PNG file: grey, colour, CMYK, with transparency (which is
            ignored), of 8 or 16 bits.
        image_size: (int, int). Height and width wanted.
        max_pixels: int. The most pixels of an image.
        name: str. What the message calls an image: the name of the request's input.

    Returns:
        uint8 [batch, *image_size, 3], RGB, the pixels that `reid_tf.pipeline.decode` makes.
    """
    count = tf.shape(encoded, out_type=tf.int64)[0]
    positions = tf.range(count)
    read = functools.partial(_read, image_size=image_size, max_pixels=max_pixels)
    images = tf.data.Dataset.from_tensor_slices((positions, encoded))
    images = images.map(read, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    # One more at the end, so that there is a batch even where no image is left.
    end = tf.data.Dataset.from_tensors((tf.constant(-1, tf.int64), "", tf.zeros((*image_size, 3), tf.uint8)))
    found, problems, pixels = images.concatenate(end).batch(count + 1).with_options(_options()).get_single_element()
    every = tf.fill([count], _UNSOUND)
    problems = tf.tensor_scatter_nd_update(every, found[:-1, tf.newaxis], problems[:-1])
    with tf.control_dependencies([_refuse(problems, tf.strings.length(encoded), name)]):
        return tf.ensure_shape(pixels[:-1], [None, *image_size, 3])


def resize_batch(images: tf.Tensor, image_size: ImageSize) -> tf.Tensor:
    """Resizes the decoded images of a request, each as `reid_tf.pipeline.decode.resize` does.

    Args:
        images: uint8 [batch, height, width, 3].
        image_size: (int, int). Height and width wanted.

    Returns:
        uint8 [batch, *image_size, 3].
    """
    shape = tf.shape(images)
    message = tf.strings.format("images need at least one pixel, and these are {}", shape)
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(shape[1:] > 0), [message])]):
        images = tf.identity(images)
    spec = tf.TensorSpec([*image_size, 3], tf.uint8)
    return tf.map_fn(lambda image: resize(image, image_size), images, fn_output_signature=spec)


def _read(
    position: tf.Tensor, encoded: tf.Tensor, image_size: ImageSize, max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Position, problem ("" where there is none) and pixels of an image; fails where it cannot be decoded."""
    is_jpeg = tf.strings.substr(encoded, 0, len(_JPEG)) == _JPEG
    is_png = tf.strings.substr(encoded, 0, len(_PNG)) == _PNG

    def refused(*words: tf.Tensor | str) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.strings.join(words), tf.zeros((*image_size, 3), tf.uint8)

    def known() -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.cond(is_jpeg, lambda: _jpeg_pixels(encoded), lambda: _png_pixels(encoded))
        has = tf.strings.as_string(pixels)
        return tf.cond(
            pixels > max_pixels,
            lambda: refused(" has ", has, f" pixels, more than the {max_pixels} allowed"),
            lambda: (tf.constant(""), resize(decode(encoded), image_size)),
        )

    begins = tf.gather(_SHOWN, tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 0, 8), tf.uint8), tf.int32))
    unknown = " is neither JPEG nor PNG, it begins with: "
    problem, pixels = tf.cond(is_jpeg | is_png, known, lambda: refused(unknown, tf.strings.reduce_join(begins)))
    return position, problem, pixels


def _jpeg_pixels(encoded: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64))


def _png_pixels(encoded: tf.Tensor) -> tf.Tensor:
    """Width times height, big-endian in the chunk IHDR, which is always the first."""
    places = tf.constant([2**24, 2**16, 2**8, 1], tf.int64)
    digits = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.uint8)
    return tf.reduce_prod(tf.reduce_sum(tf.reshape(tf.cast(digits, tf.int64), (2, 4)) * places, axis=1))


def _refuse(problems: tf.Tensor, lengths: tf.Tensor, name: str) -> tf.Operation:
    """Fails where an image of the request has a problem, and names all that have."""
    refused = tf.where(problems != "")[:, 0]
    sentences = tf.strings.join(
        [
            f"{name} at position ",
            tf.strings.as_string(refused),
            " of ",
            tf.strings.as_string(tf.size(problems)),
            " (",
            tf.strings.as_string(tf.gather(lengths, refused)),
            " bytes)",
            tf.gather(problems, refused),
        ]
    )
    return tf.debugging.Assert(tf.size(refused) == 0, [tf.strings.reduce_join(sentences, separator="; ")])


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # The pipeline lives for one request: to rewrite and to tune it would take longer than it runs.
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options
