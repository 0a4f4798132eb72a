"""Where the pixels of a batch come from: files, a prepared data set, or memory."""

import logging
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from reid_tf.datasets.readers.encoded import is_prepared, read_encoded
from reid_tf.datasets.readers.image_file import JPEG, PNG
from reid_tf.pipeline.decode import ImageSize, begins_with, decode_batch, load_images
from reid_tf.pipeline.python_calls import CALLS

logger = logging.getLogger(__name__)

Cache = Literal["none", "encoded", "decoded"]
Source = Callable[[tf.Tensor], tf.Tensor]


def image_source(paths: Sequence[str], image_size: ImageSize, cache: Cache = "none") -> Source:
    """Makes a function from indices to images, for use inside tf.data.

    The three kinds of cache give the same pixels. What a cache takes is logged.

    Args:
        paths: sequence of str. `Record.path`s.
        image_size: (int, int). Height and width that images are resized to.
        cache: str. What stays in memory: "none", the "encoded" files, or the images
            "decoded" and resized.

    Returns:
        Function from int64 [batch] to uint8 [batch, *image_size, 3].

    Raises:
        InputError: a file that is to be kept in memory cannot be read.
    """
    if cache == "decoded":
        images = load_images(paths, image_size)
        _log_memory("decoded images", len(paths), images.nbytes)
        return _memory_source(images)
    encoded = encoded_source(paths, keep=cache == "encoded")
    return lambda indices: decode_batch(encoded(indices), image_size)


def encoded_source(paths: Sequence[str], keep: bool = False) -> Source:
    """Makes a function from indices to encoded images, for use inside tf.data.

    Args:
        paths: sequence of str. `Record.path`s.
        keep: bool. Whether all are read now and stay in memory.

    Returns:
        Function from int64 [batch] to string [batch].

    Raises:
        InputError: a file that is to be kept in memory cannot be read.
    """
    if keep:
        contents = read_encoded(paths)
        _log_memory("encoded images", len(paths), sum(map(len, contents)))
        with tf.device("CPU:0"):
            table = tf.constant(contents, tf.string)
        return lambda indices: tf.gather(table, indices)

    def read(indices: np.ndarray) -> np.ndarray:
        return np.array(read_encoded([paths[index] for index in indices]), object)

    def read_by_python(indices: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(CALLS.function(read), [indices], tf.string), [None])

    if any(is_prepared(path) for path in paths):
        return read_by_python
    with tf.device("CPU:0"):
        names = tf.constant(paths, tf.string)

    def read_files(indices: tf.Tensor) -> tf.Tensor:
        """Reads by TensorFlow, which is three times as fast, unless a file has to be turned into PNG."""
        files = tf.map_fn(tf.io.read_file, tf.gather(names, indices))
        known = tf.reduce_all(begins_with(files, JPEG) | begins_with(files, PNG))
        return tf.cond(known, lambda: files, lambda: read_by_python(indices))

    return read_files


def _memory_source(images: np.ndarray) -> Source:
    """Indexes images in NumPy, because a pipeline copies the tensors it refers to, and they would be held twice."""
    # TensorFlow keeps a Python function that a pipeline calls for ever; through a weak reference it does not keep the
    # images. The pipeline and its iterators do, by `source`.
    reference = weakref.ref(images)

    def look_up(indices: np.ndarray) -> np.ndarray:
        kept: Any = reference()
        return kept[indices]

    def source(indices: tf.Tensor) -> tf.Tensor:
        chosen = tf.numpy_function(CALLS.function(look_up), [indices], images.dtype)
        return tf.ensure_shape(chosen, [None, *images.shape[1:]])

    return source


def _log_memory(what: str, count: int, size: int) -> None:
    logger.info("%d %s stay in memory: %.1f MB.", count, what, size / 1e6)
