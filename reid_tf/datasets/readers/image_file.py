"""Image files by their bytes: the formats that are read, size and orientation out of the header, pixels by OpenCV.

A camera that was held sideways stores the picture lying and notes in EXIF's tag
Orientation how to turn it. Everything that shows pictures follows the note, annotation
tools among them; so does every decoder here, and boxes and landmarks are those of the
upright picture.

The header is read before anything is decoded, because a file of some kilobytes can
claim gigabytes of pixels. What is cut off, contradicts itself or runs in circles is no
reason for an error: such a note counts as none.
"""

import os
import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from reid_tf.errors import InputError

# The formats that are read and the suffixes of their files: what a listing takes is what a decoder decodes.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
IMAGE_SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"  # what such files begin with
EXIF = b"Exif\0\0"
ORIENTATION = 0x112

# How a picture is turned that has the orientation 1 to 8: whether rows and columns are exchanged, and then the steps
# in which its rows and its columns are read.
TURNS = (
    (False, 1, 1),
    (False, 1, -1),
    (False, -1, -1),
    (False, -1, 1),
    (True, 1, 1),
    (True, 1, -1),
    (True, -1, -1),
    (True, -1, 1),
)
LONGEST_WALK = 1024  # parts of a file that are passed over in search of a header or a note

MAX_PIXELS = 25_000_000
MAX_PIXELS_VARIABLE = "REID_TF_MAX_PIXELS"

# Markers of JPEG: of a frame's header; without a length; of a segment that has one; and how the next one is found.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x00, 0x01, *range(0xD0, 0xD8)}
_SEGMENTS = {0xC4, 0xCC, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE}
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)

_SHORT, _LONG = 3, 4  # types of numbers in TIFF
_WIDTH, _HEIGHT = 0x100, 0x101


class Header(NamedTuple):
    """What an image file says of its picture.

    Args:
        format: str. One of `FORMATS`.
        width: int. Of the picture as it is stored, in pixels.
        height: int. Likewise.
        orientation: int, 1 to 8. EXIF's: 1 is upright, 6 lies on its left side.
    """

    format: str
    width: int
    height: int
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the picture as it is shown."""
        lies = TURNS[self.orientation - 1][0]
        return (self.height, self.width) if lies else (self.width, self.height)


def read_header(encoded: bytes) -> Header | None:
    """Reads the header of an image file.

    Args:
        encoded: bytes. The file's content.

    Returns:
        `Header`, or None where these are not the bytes of an image, or end too early.
    """
    for name, (signature, read) in _READERS.items():
        if encoded.startswith(signature):
            try:
                width, height, orientation = read(encoded)
            except (struct.error, LookupError):
                return None
            return Header(name, width, height, orientation) if width > 0 and height > 0 else None
    return None


def begins_like_an_image(encoded: bytes) -> bool:
    """Returns whether bytes begin as files of `FORMATS` do, whatever comes after."""
    return any(encoded.startswith(signature) for signature, _ in _READERS.values())


def max_pixels() -> int:
    """Returns how many pixels an image may have: `MAX_PIXELS`, or what the environment variable says.

    Raises:
        InputError: the variable is not a whole number above 0.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE, str(MAX_PIXELS))
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{MAX_PIXELS_VARIABLE} must be a whole number above 0. Received: {text!r}.")
    return int(text)


def too_large(header: Header | None) -> str | None:
    """Returns what is wrong with the size of an image, a sentence without its subject, or None."""
    if header is None or header.width * header.height <= max_pixels():
        return None
    return (
        f"has {header.width * header.height:,} pixels, more than the {max_pixels():,} allowed "
        f"({MAX_PIXELS_VARIABLE} sets another limit)"
    )


def decode(encoded: bytes, called: str = "The image") -> np.ndarray | None:
    """Decodes an image, the first picture of several, and turns it upright.

    Args:
        encoded: bytes. The file's content.
        called: str. What a message calls it.

    Returns:
        uint8 [height, width, 3], RGB, transparency ignored; None where these are not
        the bytes of an image.

    Raises:
        InputError: the image has more than `max_pixels()` pixels.
    """
    header = read_header(encoded)
    if header is None:
        return None
    problem = too_large(header)
    if problem:
        raise InputError(f"{called} {problem}.")
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # raised by some of its decoders where others return nothing
        return None
    if image is None or (header.format == "JPEG" and _is_torn(encoded)):
        return None
    rgb = image[..., ::-1]
    # OpenCV turns TIFF files itself, whatever it is told.
    return np.ascontiguousarray(rgb if header.format == "TIFF" else _upright(rgb, header.orientation))


def as_jpeg_or_png(encoded: bytes, called: str = "The image") -> bytes:
    """Returns an image as a file that TensorFlow and every export decode, with the same pixels.

    Args:
        encoded: bytes. The content of any file.
        called: str. What a message calls it.

    Returns:
        bytes: those given where they are JPEG or PNG, or no image at all, else a PNG of
        the upright picture.

    Raises:
        InputError: as `decode()`.
    """
    image = None if encoded.startswith((JPEG, PNG)) else decode(encoded, called)
    if image is None:
        return encoded
    return cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def not_an_image(path: str, encoded: bytes) -> str:
    """Returns the sentence for a file that cannot be decoded."""
    *others, last = FORMATS
    return f"The file {path!r} ({len(encoded)} bytes) is not a valid {', '.join(others)} or {last} image."


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    lies, down, across = TURNS[orientation - 1]
    return (image.transpose(1, 0, 2) if lies else image)[::down, ::across]


def _jpeg(encoded: bytes) -> tuple[int, int, int]:
    """Width, height and orientation; the segments before the frame's header are passed over."""
    orientation, at = None, 2
    for _ in range(LONGEST_WALK):
        start = encoded.find(b"\xff", at)
        if start != at:  # other bytes between two segments are passed over, but no note counts after them
            orientation = orientation or 1
        marker, at = encoded[start + 1], start
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _BARE:
            orientation, at = orientation or 1, at + 2
            continue
        (length,) = struct.unpack_from(">H", encoded, at + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", encoded, at + 5)
            return width, height, orientation or 1
        if marker == 0xE1 and orientation is None and encoded.startswith(EXIF, at + 4):
            orientation = _orientation(encoded[at + 4 : at + 2 + length])
        at += 2 + length
    raise LookupError(f"no frame in a JPEG file up to byte {at}")


def _is_torn(jpeg: bytes) -> bool:
    """Whether a JPEG goes on after its frame's header as no JPEG does, where OpenCV gives what it has up to there."""
    at, frames = 2, 0
    for _ in range(LONGEST_WALK):
        found = _MARKER.search(jpeg, at)
        if found is None or found[1] == b"\xd9":
            return False
        marker, at = found[1][0], found.end()
        if marker in _BARE:
            continue
        frames += marker in _FRAMES
        if frames > 1 or (marker not in _SEGMENTS and marker not in _FRAMES):
            return True
        at += int.from_bytes(jpeg[at : at + 2])
    return False


def _png(encoded: bytes) -> tuple[int, int, int]:
    width, height = struct.unpack_from(">II", encoded, 16)
    at = len(PNG)
    for _ in range(LONGEST_WALK):
        length, kind = int.from_bytes(encoded[at : at + 4]), encoded[at + 4 : at + 8]
        if kind == b"eXIf":
            return width, height, _orientation(encoded[at + 8 : at + 8 + length])
        if kind in (b"IDAT", b""):
            break
        at += 12 + length
    return width, height, 1


def _webp(encoded: bytes) -> tuple[int, int, int]:
    kind = encoded[12:16]
    if encoded[8:12] != b"WEBP" or kind not in (b"VP8X", b"VP8L", b"VP8 "):
        raise LookupError(f"no picture in a RIFF file of {encoded[8:16]!r}")
    if kind == b"VP8X":
        struct.unpack_from("30x", encoded)
        width, height = (int.from_bytes(encoded[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", encoded, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", encoded, 26))
    at = 12
    for _ in range(LONGEST_WALK):
        length = int.from_bytes(encoded[at + 4 : at + 8], "little")
        if encoded[at : at + 4] == b"EXIF":
            return width, height, _orientation(encoded[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return width, height, 1


def _gif(encoded: bytes) -> tuple[int, int, int]:
    return (*struct.unpack_from("<HH", encoded, 6), 1)


def _bmp(encoded: bytes) -> tuple[int, int, int]:
    (size,) = struct.unpack_from("<I", encoded, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", encoded, 18)
    return width, abs(height), 1  # a negative height: the rows come from top to bottom


def _tiff(encoded: bytes) -> tuple[int, int, int]:
    numbers = dict(reversed(list(_numbers(encoded))))  # of two with one tag the first counts
    return numbers[_WIDTH][1], numbers[_HEIGHT][1], _orientation(encoded)


def _orientation(block: bytes) -> int:
    """The orientation in a block of EXIF, which is a TIFF file without a picture; 1 where it does not say."""
    try:
        for tag, (kind, value) in _numbers(block.removeprefix(EXIF)):
            if tag == ORIENTATION:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _numbers(block: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yields the single numbers in the first directory of a TIFF file, as far as it is there: tag, type and value."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    (entries,) = struct.unpack_from(f"{order}H", block, at)
    for start in range(at + 2, min(at + 2 + 12 * entries, len(block) - 11), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", block, start)
        (value,) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", block, start + 8)
        yield tag, (kind if count == 1 else 0, value)


_READERS: dict[str, tuple[bytes | tuple[bytes, ...], Callable[[bytes], tuple[int, int, int]]]] = {
    "JPEG": (JPEG, _jpeg),
    "PNG": (PNG, _png),
    "BMP": (b"BM", _bmp),
    "GIF": ((b"GIF87a", b"GIF89a"), _gif),
    "WebP": (b"RIFF", _webp),
    "TIFF": ((b"II*\0", b"MM\0*"), _tiff),
}
