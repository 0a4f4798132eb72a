"""Image files with notes of the camera's orientation, and files that claim many pixels."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

EXIF = b"Exif\0\0"


def picture(seed: int = 0, height: int = 30, width: int = 17) -> np.ndarray:
    """Noise that is another one however it is turned: uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def file_of(pixels: np.ndarray, kind: str, **options) -> bytes:
    """An image file by Pillow, of WebP a lossless one."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **({"lossless": True} if kind == "webp" else {}), **options)
    return buffer.getvalue()


def lying(pixels: np.ndarray, kind: str, orientation: int) -> bytes:
    """An image file that stores pixels and notes an orientation."""
    exif = Image.Exif()
    exif[0x112] = orientation
    return file_of(pixels, kind, exif=exif)


def block(*entries: tuple[int, int, int, int], order: str = ">", at: int = 8) -> bytes:
    """A block of EXIF with its prefix, and a directory of entries: tag, type, count and a value of 16 bits."""
    start = {">": b"MM\0*", "<": b"II*\0"}[order] + struct.pack(f"{order}I", at)
    rows = b"".join(struct.pack(f"{order}HHIHH", *entry, 0) for entry in entries)
    return EXIF + start.ljust(at, b"\0") + struct.pack(f"{order}H", len(entries)) + rows + bytes(4)


def segment(content: bytes, marker: int = 0xE1) -> bytes:
    """A segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG file with segments after its first two bytes."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(kind: str, width: int = 23_000, height: int = 23_000) -> bytes:
    """The first bytes of a file that claims many pixels; a PNG that has them all, in grey of one bit."""
    if kind == "png":
        row = bytes(1 + -(-width // 8))
        rows = zlib.compressobj(9)
        data = b"".join([*(rows.compress(row) for _ in range(height)), rows.flush()])
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    small = file_of(picture(), {"tif": "tiff", "jpg": "jpeg"}.get(kind, kind))
    if kind == "jpg":
        at = small.index(b"\xff\xc0") + 5
        return small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]
    if kind == "gif":
        return small[:6] + struct.pack("<HH", width, height) + small[10:]
    if kind == "bmp":
        return small[:18] + struct.pack("<ii", width, -height) + small[26:]
    if kind == "webp":  # lossless: 14 bits each, less one
        return small[:21] + struct.pack("<I", (16_000 - 1) | (16_000 - 1) << 14) + small[25:]
    rows = dict.fromkeys((0x100, 0x101), 23_000)
    return block(*((tag, 3, 1, value) for tag, value in rows.items()), order="<").removeprefix(EXIF)
