"""Headers of image files and OpenCV's pixels, against Pillow."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from reid_tf.datasets.readers import image_file
from reid_tf.datasets.readers.image_file import FORMATS, IMAGE_SUFFIXES, as_jpeg_or_png, decode, read_header
from reid_tf.errors import InputError
from tests.datasets.made_files import block, bomb, chunk, file_of, lying, picture, segment, with_segments

KINDS = {"jpeg": "JPEG", "png": "PNG", "bmp": "BMP", "gif": "GIF", "webp": "WebP", "tiff": "TIFF"}
TAG = 0x112


def upright(encoded: bytes) -> np.ndarray:
    return np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))).convert("RGB"))


@pytest.mark.parametrize("kind", KINDS)
def test_format_and_size_are_in_the_header(kind):
    encoded = file_of(picture(1, 20, 31), kind)
    assert read_header(encoded) == (KINDS[kind], 31, 20, 1)
    assert as_jpeg_or_png(encoded).startswith(encoded if kind in ("jpeg", "png") else b"\x89PNG")


def test_further_forms_of_headers():
    animation = io.BytesIO()
    first, second = Image.fromarray(picture(1)), Image.fromarray(picture(2))
    first.save(animation, "webp", save_all=True, append_images=[second], lossless=True)
    assert read_header(animation.getvalue()) == ("WebP", 17, 30, 1)
    np.testing.assert_array_equal(decode(animation.getvalue()), picture(1))
    lossy = io.BytesIO()
    first.save(lossy, "webp", quality=80)
    assert read_header(lossy.getvalue()) == ("WebP", 17, 30, 1)
    assert read_header(file_of(picture(), "jpeg", progressive=True)) == ("JPEG", 17, 30, 1)
    transparent = np.dstack([picture(), np.full((30, 17), 7, np.uint8)])
    for kind in ("png", "webp"):
        np.testing.assert_array_equal(decode(file_of(transparent, kind, exact=True)), picture())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_every_orientation_is_followed_exactly(kind, orientation):
    encoded = lying(picture(), kind, orientation)
    expected = upright(encoded)
    assert read_header(encoded).orientation == orientation
    assert read_header(encoded).upright_size == expected.shape[1::-1]
    np.testing.assert_array_equal(decode(encoded), expected)
    if kind not in ("jpeg", "png"):
        again = as_jpeg_or_png(encoded)
        assert read_header(again).orientation == 1
        np.testing.assert_array_equal(decode(again), expected)


# Segments ahead of the rest of a JPEG file, and the orientation that they make.
NOTES = {
    "high byte first": ([segment(block((TAG, 3, 1, 6)))], 6),
    "low byte first": ([segment(block((TAG, 3, 1, 6), order="<"))], 6),
    "among others": ([segment(block((0x10F, 2, 4, 9), (TAG, 3, 1, 8), (TAG, 3, 1, 3)))], 8),
    "a directory further on": ([segment(block((TAG, 3, 1, 5), at=40))], 5),
    "padding": ([b"\xff" * 7 + segment(block((TAG, 3, 1, 6)))], 6),
    "XMP first": ([segment(b"http://ns.adobe.com/xap/1.0/\0<x/>"), segment(block((TAG, 3, 1, 6)))], 6),
    "other segments first": ([segment(b"Exif", 0xFE), segment(bytes(9), 0xE2), segment(block((TAG, 3, 1, 2)))], 2),
    "two blocks": ([segment(block((TAG, 3, 1, 6))), segment(block((TAG, 3, 1, 3)))], 6),
    "the first without": ([segment(block((0x10F, 3, 1, 1))), segment(block((TAG, 3, 1, 3)))], 1),
    "no entry": ([segment(block())], 1),
    "value 0": ([segment(block((TAG, 3, 1, 0)))], 1),
    "value 9": ([segment(block((TAG, 3, 1, 9)))], 1),
    "another type": ([segment(block((TAG, 4, 1, 6), order="<"))], 1),
    "two values": ([segment(block((TAG, 3, 2, 6)))], 1),
    "no order": ([segment(block((TAG, 3, 1, 6)).replace(b"MM", b"MI"))], 1),
    "beyond the end": ([segment(block((TAG, 3, 1, 6)).replace(b"\0\0\0\x08", b"\xff\xff\xff\xf0"))], 1),
    "at the end": ([segment(block((TAG, 3, 1, 6)).replace(b"\0\0\0\x08", b"\0\0\0\x19"))], 1),
    "in a circle": ([segment(block((TAG, 3, 1, 6)).replace(b"\0\0\0\x08", b"\0\0\0\x00"))], 1),
    "more entries than there are": (
        [segment(block((TAG, 3, 1, 6)).replace(b"\0\x01\x01\x12", b"\xff\xff\x01\x12"))],
        6,
    ),
    "cut off in the entry": ([segment(block((TAG, 3, 1, 6))[:-6])], 1),
    "cut off in the order": ([segment(b"Exif\0\0MM")], 1),
    "nothing": ([segment(b"Exif\0\0")], 1),
    "other bytes first": ([segment(b"a", 0xE2), b"\0\1\2", segment(block((TAG, 3, 1, 6)))], 1),
    "other bytes then": ([segment(block((TAG, 3, 1, 6))), b"\0\1\2"], 6),
    "a marker without length first": ([b"\xff\xd0", segment(block((TAG, 3, 1, 6)))], 1),
    "too short a segment": ([b"\xff\xe1\0\x03E"], 1),
}


@pytest.mark.parametrize("note", NOTES)
def test_crafted_notes(note):
    segments, orientation = NOTES[note]
    jpeg = file_of(picture(), "jpeg")
    assert read_header(with_segments(jpeg, *segments)).orientation == orientation


def test_a_note_in_a_png_stands_ahead_of_the_picture():
    png = file_of(picture(), "png")
    note = chunk(b"eXIf", block((TAG, 3, 1, 6)).removeprefix(b"Exif\0\0"))
    data = png.index(b"IDAT") - 4
    assert read_header(png[:data] + note + png[data:]).orientation == 6
    assert read_header(png[:-12] + note + png[-12:]).orientation == 1


def test_a_walk_through_segments_ends():
    """Ten megabytes of padding, and of the smallest segments."""
    jpeg = file_of(picture(), "jpeg")
    for filler in (b"\xff" * 10_000_000, segment(b"") * 2_500_000):
        assert read_header(jpeg[:2] + filler + jpeg[2:]) is None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=repr)
def test_a_jpeg_that_goes_on_as_none_does_is_no_image(options):
    """OpenCV gives what it has decoded up to there, TensorFlow and Pillow nothing."""
    jpeg = file_of(picture(), "jpeg", **options)
    assert decode(jpeg) is not None
    middle = (jpeg.rindex(b"\xff\xda") + len(jpeg)) // 2
    for marker in (0x7F, 0xC0, 0xC3, 0xD8):
        torn = jpeg[:middle] + bytes([0xFF, marker]) + jpeg[middle:]
        given = cv2.imdecode(np.frombuffer(torn, np.uint8), cv2.IMREAD_COLOR)
        assert given is not None or "progressive" in options
        assert decode(torn) is None
    assert decode(jpeg[:middle] + b"\xff\xd9") is not None  # cut off and closed: grey from there on


def test_a_jpeg_with_restarts_goes_on_after_what_is_no_marker():
    jpeg = file_of(picture(), "jpeg", restart_marker_rows=1)
    middle = (jpeg.rindex(b"\xff\xda") + len(jpeg)) // 2
    assert decode(jpeg[:middle] + b"\xff\x7f" + jpeg[middle:]) is not None


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "gif", "webp", "tif"])
def test_a_file_with_too_many_pixels_is_refused_by_its_header(kind, monkeypatch):
    encoded = bomb(kind)
    assert len(encoded) < 100_000
    with pytest.raises(
        InputError,
        match=r"The image has \d+,000,000 pixels, more than the 25,000,000 allowed \(REID_TF_MAX_PIXELS sets",
    ):
        decode(encoded)
    monkeypatch.setenv("REID_TF_MAX_PIXELS", "509")
    with pytest.raises(InputError, match="The file 'a.png' has 510 pixels, more than the 509 allowed"):
        decode(file_of(picture(), "png"), "The file 'a.png'")
    monkeypatch.setenv("REID_TF_MAX_PIXELS", "510")
    assert decode(file_of(picture(), "png")).shape == (30, 17, 3)


@pytest.mark.parametrize("value", ["", "0", "-1", "1e6", "many"])
def test_a_limit_is_a_number(value, monkeypatch):
    monkeypatch.setenv("REID_TF_MAX_PIXELS", value)
    with pytest.raises(InputError, match=f"REID_TF_MAX_PIXELS must be a whole number above 0. Received: '{value}'"):
        image_file.max_pixels()


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_no_images_or_arrays(kind):
    rng = np.random.default_rng(0)
    whole = lying(picture(), kind, 6) if kind not in ("bmp", "gif") else file_of(picture(), kind)
    for _ in range(100):
        encoded = bytearray(whole[: rng.integers(0, len(whole))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, min(len(encoded), 200), 4) if encoded else ():
            encoded[at] = rng.integers(0, 256)
        try:
            image = decode(bytes(encoded))
        except InputError as error:
            assert "allowed" in str(error)  # noqa: PT017
            continue
        assert image is None or (image.dtype == np.uint8 and image.shape[2] == 3)
        assert decode(b"") is None


def test_listings_and_decoders_know_the_same_types():
    assert {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"} == set(IMAGE_SUFFIXES)
    assert set(FORMATS) == set(KINDS.values())
