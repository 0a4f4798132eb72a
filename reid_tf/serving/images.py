"""Encoded images -> pixels inside a served graph, each image with its own error.

A request is one batch, a server may merge those of several clients, and one failing
operation fails all of it. So the images are read by a small tf.data pipeline, which
goes on after an image that cannot be decoded.
"""

import functools

import tensorflow as tf

from reid_tf.datasets.readers.image_file import JPEG, PNG
from reid_tf.pipeline.decode import ImageSize, begins_with, count_pixels, decode, resize

_SHOWN = [chr(byte) if 32 <= byte < 127 else f"<{byte:02x}>" for byte in range(256)]  # bytes, as an error shows them


def decode_images(encoded: tf.Tensor, image_size: ImageSize, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes and resizes the images of a request, side by side; an empty request gives no images.

    The size in pixels is read from the header, before memory for the pixels is taken.

    Args:
        encoded: string [batch]. Each the bytes of a JPEG or PNG file: grey, colour,
            CMYK, with transparency (which is ignored), of 8 or 16 bits, lying or
            upright.
        image_size: (int, int). Height and width wanted.
        max_pixels: int. The most pixels of an image.

    Returns:
        (pixels, error): uint8 [batch, *image_size, 3], RGB, the pixels that
        `reid_tf.pipeline.decode` makes, black where an image is refused; and string
        [batch], "" where an image is valid, else what is wrong with it, in printable
        ASCII: "has 30000000 pixels, more than the 25000000 allowed".
    """
    count = tf.shape(encoded, out_type=tf.int64)[0]
    read = functools.partial(_read, image_size=image_size, max_pixels=max_pixels)
    images = tf.data.Dataset.from_tensor_slices((tf.range(count), encoded))
    images = images.map(read, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    # One more at the end, so that there is a batch even where no image is left.
    end = tf.data.Dataset.from_tensors((count, *_refused("", image_size=image_size)))
    found, error, pixels = images.concatenate(end).batch(count + 1).with_options(_options()).get_single_element()
    found = found[:-1, tf.newaxis]
    lengths = tf.strings.as_string(tf.strings.length(encoded))
    unsound = tf.strings.join(["is not a valid JPEG or PNG (", lengths, " bytes)"])
    shape = tf.concat([[count], tf.constant([*image_size, 3], tf.int64)], axis=0)
    every = tf.ensure_shape(tf.scatter_nd(found, pixels[:-1], shape), [None, *image_size, 3])
    return every, tf.tensor_scatter_nd_update(unsound, found, error[:-1])


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
    resized = tf.cond(
        tf.reduce_all(shape[1:3] == image_size),
        lambda: images,
        lambda: tf.map_fn(lambda image: resize(image, image_size), images, fn_output_signature=spec),
    )
    return tf.ensure_shape(resized, [None, *image_size, 3])


def _read(
    position: tf.Tensor, encoded: tf.Tensor, image_size: ImageSize, max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Position, error and pixels of an image; fails where it cannot be decoded."""
    refused = functools.partial(_refused, image_size=image_size)

    def known() -> tuple[tf.Tensor, tf.Tensor]:
        pixels = count_pixels(encoded)
        return tf.cond(
            pixels > max_pixels,
            lambda: refused("has ", tf.strings.as_string(pixels), f" pixels, more than the {max_pixels} allowed"),
            lambda: (tf.constant(""), resize(decode(encoded, max_pixels), image_size)),
        )

    begins = tf.gather(_SHOWN, tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 0, 8), tf.uint8), tf.int32))
    unknown = "is neither JPEG nor PNG; it begins with: "
    error, pixels = tf.cond(
        begins_with(encoded, JPEG) | begins_with(encoded, PNG),
        known,
        lambda: refused(unknown, tf.strings.reduce_join(begins)),
    )
    return position, error, pixels


def _refused(*words: tf.Tensor | str, image_size: ImageSize) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.strings.join(words), tf.zeros((*image_size, 3), tf.uint8)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # The pipeline lives for one request: to rewrite and to tune it would take longer than it runs.
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options
