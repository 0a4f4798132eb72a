"""What goes wrong with files on their way, and what people write where something else is meant."""

import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from reid_tf.datasets.readers.image_file import EXIF, JPEG, ORIENTATION, PNG, read_header

_NUMBERS = (0, 1, 2, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_LIKELY: dict[type, tuple[Any, ...]] = {  # what stands for a value of its own type
    bool: (True, False),
    int: (-1, 0, 1, 2, 3, 5, 100, 2**63, 10**30),
    float: (-1.0, -0.0, 1e-300, 0.01, 0.5, 0.9, 1.0, 2.0, 1e30, 1e300, float("nan"), float("inf")),
}
_NONSENSE: tuple[Any, ...] = (
    *("", "nonsense", "nan", "\0", "${oc.env:HOME}", None, True, [], [1], [[1]], [-1, 1], ["nonsense"], {}, {1: 2}),
    *({"name": "nonsense"}, {"name": [1]}, {"name": "tiny", "width": 1}, 0, 0.5, -1, 2**63, 1e300, float("nan")),
)
_LINES = (
    *("base: case.yaml", "base: [1]", "<<: *a", "epochs: &a [*a]", "epochs: 2", "'': 1", "? [1]", "\t"),
    *(
        "seed: !!python/name:os.system",
        "seed: !!binary 1",
        "seed: !nonsense 1",
        "augment: [{name: flip}, {name: flip}]",
    ),
)
_WORDS = ("nan", "inf", "-1", "0", "0.5", "1e999", str(2**63), str(10**30), "", "null", "true", "[]", "é", "\0", '"')
_VALUES: tuple[Any, ...] = (
    *(np.nan, np.inf, -1, 0.5, 1e300, True, 1j, "text", b"bytes", None, np.uint64(2**64 - 1), np.float16(np.inf)),
    *(np.longdouble("1e4000"), np.datetime64("nat"), np.void(b"1234")),
)
_SHAPES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    *(np.transpose, np.ravel, lambda array: array[..., np.newaxis], lambda array: array[:0], lambda array: array[:1]),
    *(lambda array: array.ravel()[:1].reshape(()), lambda array: np.repeat(array, 2, axis=-1)),
)


def spoilt(content: bytes, chance: random.Random) -> bytes:
    """Returns bytes of which some are flipped, replaced, cut off, put in, exchanged or made an extreme number.

    Args:
        content: bytes. At least one.
        chance: random.Random.
    """
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at, other = (chance.randrange(chance.choice((len(data), min(64, len(data))))) for _ in range(2))
        size = chance.choice((1, 2, 4, 64))
        match chance.randrange(7):
            case 0 | 1:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                data[at : at + size] = chance.randbytes(size)
            case 3:
                data[at:at] = data[other : other + size] or b"\0"
            case 4:
                data[at : at + size], data[other : other + size] = data[other : other + size], data[at : at + size]
            case 5:
                number = struct.pack(chance.choice("<>") + "I", chance.choice(_NUMBERS))
                data[at : at + 4] = number[chance.choice((0, 2)) :]
            case 6:
                del data[max(at, 1) : chance.choice((at + size, len(data)))]
    return bytes(data)


def spoilt_image(encoded: bytes, chance: random.Random) -> bytes:
    """Returns an image file that is spoilt, or notes an orientation in a block of EXIF of any sense, or both.

    Args:
        encoded: bytes. Of any format; JPEG, PNG and WebP may get the block.
        chance: random.Random.
    """
    noted = chance.random() < 0.3
    if noted:
        encoded = _with_exif(encoded, _exif(chance))
    if not noted or chance.random() < 0.5:
        encoded = spoilt(encoded, chance)
    # Decoders look no further than to a wrong checksum.
    return _with_checksums(encoded) if chance.random() < 0.7 else encoded


def respelt(text: str, chance: random.Random) -> str:
    """Returns a text of which some words or lines are others.

    Args:
        text: str.
        chance: random.Random.
    """
    for _ in range(chance.choice((1, 1, 2, 4))):
        words, lines = [*re.finditer(r"[^\s,;:\"{}\[\]]+", text)], text.splitlines(keepends=True)
        if chance.random() < 0.7 and words:
            word = chance.choice(words)
            text = text[: word.start()] + chance.choice(_WORDS) + text[word.end() :]
        elif lines:
            lines[chance.randrange(len(lines))] = chance.choice((*lines, "", "\n"))
            text = "".join(lines)
    return text


def rearranged(array: np.ndarray, chance: random.Random) -> np.ndarray:
    """Returns an array of another shape, or full of another value.

    Args:
        array: array of at least one element.
        chance: random.Random.
    """
    if chance.random() < 0.5:
        return chance.choice(_SHAPES)(array) if array.ndim else array[np.newaxis]
    value = np.full(array.shape, chance.choice(_VALUES))
    if value.dtype.kind == array.dtype.kind:
        return np.where(np.arange(array.size).reshape(array.shape) == chance.randrange(array.size), value, array)
    return value


def misconfigured(tree: dict[str, Any], chance: random.Random) -> str:
    """Returns a YAML text of which values are nonsense, and which may have lines that mean more than values.

    Args:
        tree: dict of plain values, which is changed.
        chance: random.Random.
    """
    import yaml

    for _ in range(chance.choice((1, 1, 1, 2))):
        places = [*_places(tree)]
        numbers = [(owner, key) for owner, key in places if type(owner[key]) in _LIKELY]
        if chance.random() < 0.6 and numbers:
            owner, key = chance.choice(numbers)
            owner[key] = chance.choice(_LIKELY[type(owner[key])])
        else:
            owner, key = chance.choice(places)
            owner[key] = chance.choice(_NONSENSE)
            if chance.random() < 0.2:
                del owner[key]
    lines = yaml.safe_dump(tree).splitlines()
    if chance.random() < 0.3:
        lines[chance.randrange(len(lines) + 1) :][:0] = [chance.choice(_LINES)]
    text = "\n".join([*lines, *([chance.choice((*_LINES, *lines))] if chance.random() < 0.1 else [])])
    return respelt(text, chance) if chance.random() < 0.1 else text


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each mapping or list in a tree with each of its keys."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield tree, key
            yield from _places(value)


def _exif(chance: random.Random) -> bytes:
    order, start = chance.choice((("<", b"II*\0"), (">", b"MM\0*")))
    rows = [
        struct.pack(
            f"{order}HHIHH",
            *(chance.choice((ORIENTATION, ORIENTATION, 0x100)), chance.choice((3, 3, 3, 4, 0xFFFF))),
            *(chance.choice((1, 1, 1, 0, 0xFFFFFFFF)), chance.randrange(10), chance.choice((0, 0, 0xFFFF))),
        )
        for _ in range(chance.randrange(4))
    ]
    directory = struct.pack(f"{order}H", chance.choice((len(rows), len(rows), 0xFFFF))) + b"".join(rows) + bytes(4)
    return EXIF + start + struct.pack(f"{order}I", chance.choice((8, 8, 8, 8, 9, 0xFFFFFFFF))) + directory


def _with_exif(encoded: bytes, block: bytes) -> bytes:
    if encoded.startswith(JPEG):
        return encoded[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + encoded[2:]
    if encoded.startswith(PNG):
        return encoded[:33] + struct.pack(">I", len(block) - 6) + b"eXIf" + block[6:] + bytes(4) + encoded[33:]
    header = read_header(encoded)
    if header and header.format == "WebP":
        size = b"".join((side - 1).to_bytes(3, "little") for side in (header.width, header.height))
        wide = b"WEBPVP8X" + struct.pack("<II", 10, 8) + size + encoded[12:]
        wide += b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
        return b"RIFF" + struct.pack("<I", len(wide)) + wide
    return encoded


def _with_checksums(encoded: bytes) -> bytes:
    """The same with the right checksum of each chunk, where it is a PNG."""
    data, at = bytearray(encoded), len(PNG)
    while encoded.startswith(PNG) and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end])) if end + 4 <= len(data) else b""
        at = end + 4
    return bytes(data)
