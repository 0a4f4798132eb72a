"""EXIF's note of the camera's orientation, read and followed by TensorFlow, so that an exported model does it too.

The rules are those of `datasets.readers.image_file`, which reads the same note without
TensorFlow: the first block of EXIF ahead of the picture, of it the first directory, of
that the first entry Orientation, if it is one number of 16 bits from 1 to 8.
"""

from collections.abc import Callable

import tensorflow as tf

from reid_tf.datasets.readers.image_file import EXIF, JPEG, LONGEST_WALK, ORIENTATION, PNG, TURNS

_Step = Callable[[tf.Tensor], tf.Tensor]

_SHORT = 3  # TIFF's type of 16 bits
_LITTLE, _BIG = b"II*\0", b"MM\0*"  # how a block begins whose numbers have the lowest byte first, or last


# A function that TensorFlow does not dissolve: in the branch of a condition that is not taken, every operation takes
# time, and those of this file together more than to decode a crop.
@tf.function(autograph=False, reduce_retracing=True, experimental_attributes={"_noinline": True})
def turned_upright(image: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """Turns a decoded image as its file says.

    Args:
        image: uint8 [height, width, 3]. As it is stored.
        encoded: scalar string. The bytes of the JPEG or PNG file that it comes from.

    Returns:
        uint8 [height, width, 3], or [width, height, 3]; the image itself where the file
        says nothing, or nothing that makes sense.
    """
    orientation = read_orientation(encoded)

    def turned() -> tf.Tensor:
        lies, down, across = tf.unstack(tf.gather(tf.constant(TURNS, tf.int32), orientation - 1))
        return tf.cond(lies > 0, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)[::down, ::across]

    return tf.cond(orientation == 1, lambda: image, turned)


def read_orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Reads the orientation of an image file.

    Args:
        encoded: scalar string. The bytes of a JPEG or PNG file.

    Returns:
        Scalar int32, 1 to 8; 1 where the file does not say, or is of another format.
    """
    return _orientation_in(_block(encoded))


def may_lie(encoded: tf.Tensor) -> tf.Tensor:
    """Returns whether a file may have a note: scalar bool; to ask is as quick as the rest is slow.

    Args:
        encoded: scalar string. The bytes of a JPEG or PNG file.
    """
    return tf.strings.regex_full_match(encoded, r"\C*(Exif\x00\x00|eXIf)\C*")


def _block(encoded: tf.Tensor) -> tf.Tensor:
    """The block of EXIF in a file that has one: scalar string, empty where there is none ahead of the picture."""
    is_jpeg = tf.strings.substr(encoded, 0, len(JPEG)) == JPEG
    return tf.cond(is_jpeg, lambda: _jpeg_block(encoded), lambda: _png_block(encoded))


def _jpeg_block(encoded: tf.Tensor) -> tf.Tensor:
    def length(at: tf.Tensor) -> tf.Tensor:
        return _number(encoded, at + 2, 2)

    def is_found(at: tf.Tensor) -> tf.Tensor:
        return (_number(encoded, at, 2) == 0xFFE1) & (_part(encoded, at + 4, len(EXIF)) == EXIF)

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        mark, marker = _number(encoded, at, 1), _number(encoded, at + 1, 1)
        is_frame = (marker // 16 == 0xC) & (marker != 0xC4) & (marker != 0xC8) & (marker != 0xCC)
        is_bare = (marker <= 1) | (marker // 8 == 0xD0 // 8)  # none of the segments that have a length
        return (mark == 0xFF) & ~is_frame & ~is_bare & ~is_found(at)

    def further(at: tf.Tensor) -> tf.Tensor:
        is_padding = _number(encoded, at + 1, 1) == 0xFF
        return at + tf.where(is_padding, tf.constant(1, tf.int64), 2 + length(at))

    at = _walk(goes_on, further, 2)
    return tf.cond(is_found(at), lambda: _part(encoded, at + 4, length(at) - 2), lambda: tf.constant(b""))


def _png_block(encoded: tf.Tensor) -> tf.Tensor:
    def kind(at: tf.Tensor) -> tf.Tensor:
        return _part(encoded, at + 4, 4)

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        return (kind(at) != b"eXIf") & (kind(at) != b"IDAT") & (kind(at) != b"")

    at = _walk(goes_on, lambda at: at + 12 + _number(encoded, at, 4), len(PNG))
    is_found = kind(at) == b"eXIf"
    return tf.cond(is_found, lambda: _part(encoded, at + 8, _number(encoded, at, 4)), lambda: tf.constant(b""))


def _walk(goes_on: _Step, further: _Step, start: int) -> tf.Tensor:
    """Where a walk from part to part ends; scalar int64."""
    return tf.while_loop(
        goes_on, lambda at: [further(at)], [tf.constant(start, tf.int64)], maximum_iterations=LONGEST_WALK
    )[0]


def _part(encoded: tf.Tensor, at: tf.Tensor, length: tf.Tensor | int) -> tf.Tensor:
    """Some bytes of a string as a string; fewer where it ends."""
    end = tf.strings.length(encoded)
    start = tf.cast(tf.minimum(at, tf.cast(end, tf.int64)), tf.int32)
    return tf.strings.substr(encoded, start, tf.cast(tf.clip_by_value(length, 0, 2**31 - 1), tf.int32))


def _number(encoded: tf.Tensor, at: tf.Tensor, size: int) -> tf.Tensor:
    """A number of some bytes, the highest first: scalar int64; bytes after the end are 0."""
    digits = tf.io.decode_raw(_part(encoded, at, size), tf.uint8, fixed_length=size)
    return tf.reduce_sum(tf.cast(digits, tf.int64) * [256**place for place in reversed(range(size))])


def _orientation_in(block: tf.Tensor) -> tf.Tensor:
    """The orientation in a block of EXIF, which is a TIFF file without a picture: scalar int32."""
    prefix = tf.where(tf.strings.substr(block, 0, len(EXIF)) == EXIF, len(EXIF), 0)
    block = tf.strings.substr(block, prefix, tf.strings.length(block))
    order = tf.strings.substr(block, 0, 4)
    is_little = order == _LITTLE
    digits = tf.cast(tf.io.decode_raw(block, tf.uint8), tf.int64)
    size = tf.size(digits, out_type=tf.int64)

    def in_order(low: int, high: int) -> tf.Tensor:
        return tf.cast(tf.where(is_little, [low, high], [high, low]), tf.int64)

    def words(start: tf.Tensor | int, end: tf.Tensor | int) -> tf.Tensor:
        """The numbers of 16 bits from a byte to another one."""
        pairs = tf.reshape(digits[start:end], (-1, 2))
        return tf.reduce_sum(pairs * in_order(1, 256), axis=1)

    def in_directory() -> tf.Tensor:
        at = tf.reduce_sum(words(4, 8) * in_order(1, 65536))
        return tf.cond(at + 2 <= size, lambda: in_entries(at), lambda: tf.constant(1, tf.int64))

    def in_entries(at: tf.Tensor) -> tf.Tensor:
        count = tf.minimum(words(at, at + 2)[0], (size - at - 2) // 12)
        # Tag, type, the two halves of the count, and the value, which begins with a number of 16 bits: [count, 6].
        entries = tf.reshape(words(at + 2, at + 2 + 12 * count), (-1, 6))
        found = tf.boolean_mask(entries, entries[:, 0] == ORIENTATION)[:1, 1:5]
        is_one = tf.reduce_all(found[:, 1:3] == in_order(1, 0), axis=1)
        sound = (found[:, 0] == _SHORT) & is_one & (found[:, 3] >= 1) & (found[:, 3] <= 8)
        return tf.reduce_max(tf.concat([tf.where(sound, found[:, 3], 1), tf.ones([1], tf.int64)], axis=0))

    orientation = tf.cond((is_little | (order == _BIG)) & (size >= 8), in_directory, lambda: tf.constant(1, tf.int64))
    return tf.cast(orientation, tf.int32)
