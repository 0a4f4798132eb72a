"""EXIF's orientation in TensorFlow's graph against the reader without TensorFlow, which is tested against Pillow."""

import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.readers import image_file
from reid_tf.pipeline.orientation import may_lie, read_orientation, turned_upright
from tests.datasets.made_files import block, chunk, file_of, lying, picture, with_segments
from tests.datasets.readers.test_image_file import NOTES

TEXT = tf.TensorSpec([], tf.string)
in_graph = tf.function(read_orientation, input_signature=[TEXT], autograph=False)
JPEG, PNG = file_of(picture(), "jpeg"), file_of(picture(), "png")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_every_orientation(kind, orientation):
    encoded = lying(picture(), kind, orientation)
    assert in_graph(encoded) == orientation
    turned = turned_upright(tf.constant(picture()), tf.constant(encoded))
    if kind == "png":
        np.testing.assert_array_equal(turned, image_file.decode(encoded))
    assert turned.shape == ((30, 17, 3) if orientation < 5 else (17, 30, 3))


@pytest.mark.parametrize("note", NOTES)
def test_crafted_notes(note):
    segments, orientation = NOTES[note]
    assert orientation == 1 or may_lie(with_segments(JPEG, *segments))
    assert in_graph(with_segments(JPEG, *segments)) == orientation


def test_notes_in_a_png():
    note, data = chunk(b"eXIf", block((0x112, 3, 1, 6))), PNG.index(b"IDAT") - 4
    assert in_graph(PNG[:data] + note + PNG[data:]) == 6
    assert in_graph(PNG[:-12] + note + PNG[-12:]) == 1
    assert in_graph(PNG[:data] + b"\xff\xff\xff\xffjunk" + note + PNG[data:]) == 1


def test_most_files_are_known_to_be_upright_at_a_glance():
    assert not may_lie(JPEG)
    assert not may_lie(PNG)


def test_the_walk_ends():
    assert in_graph(JPEG[:2] + b"\xff" * 1_000_000 + b"Exif\0\0" + JPEG[2:]) == 1


def test_what_is_no_image_is_upright():
    for encoded in (b"", b"Exif\0\0", b"eXIf", b"\xff\xd8\xffExif\0\0", b"\x89PNG\r\n\x1a\neXIf"):
        assert in_graph(encoded) == 1


def test_mutated_files_are_read_alike():
    rng = np.random.default_rng(0)
    whole = [lying(picture(), kind, 6) for kind in ("jpeg", "png")]
    whole.append(with_segments(JPEG, *NOTES["low byte first"][0]))
    for turn in range(600):
        encoded = bytearray(whole[turn % 3])
        for at in rng.integers(3, 120, 3):
            encoded[at] = rng.integers(0, 256)
        mutated = bytes(encoded[: rng.integers(60, len(encoded))] if turn % 5 == 0 else encoded)
        header = image_file.read_header(mutated)
        if header is not None:
            assert in_graph(mutated) == header.orientation
