import numpy as np
import pytest

from reid_tf.datasets.readers.box import read_boxes
from reid_tf.errors import InputError
from tests.datasets.made_video import box, box_lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "boxes.top"


def test_body_boxes_by_frame_and_track(path):
    path.write_text("".join(reversed(box_lines())))
    boxes = read_boxes(path)
    order = list(zip(boxes.frames, boxes.tracks, strict=True))
    assert order == sorted(order)
    assert len(order) == len(box_lines())
    for (number, track), edges in zip(order, boxes.edges, strict=True):
        np.testing.assert_allclose(edges, box(track, number), atol=1e-3)


def test_invalid_and_repeated_boxes_are_left_out(path):
    path.write_text("5,2,0,1,0,0,0,0,1,2,3,4\n5,1,1,0,0,0,0,0,9,9,9,9\n5,2,1,1,0,0,0,0,9,9,9,9\n\n")
    boxes = read_boxes(path)
    assert (boxes.tracks.tolist(), boxes.frames.tolist(), boxes.edges.tolist()) == ([5], [2], [[1, 2, 3, 4]])
    assert boxes.repeated == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("5,1,1,1,0,0,0,0,1,2,3\n", r"line 2: must have 12 cells, personNumber to bodyBottom. Received: 11"),
        ("5,1,1,1,0,0,0,0,1,2,3,x\n", r"line 2, column 'bodyBottom': must be a number. Received: 'x'"),
        ("5,1,1,1,0,0,0,0,nan,2,3,4\n", r"line 2, column 'bodyLeft': must be a number. Received: 'nan'"),
        ("5,1.5,1,1,0,0,0,0,1,2,3,4\n", r"line 2, column 'frameNumber': must be a whole number. Received: '1.5'"),
        ("5,-1,1,1,0,0,0,0,1,2,3,4\n", r"line 2, column 'frameNumber': must not be negative. Received: '-1'"),
        ("5,1,1,2,0,0,0,0,1,2,3,4\n", r"line 2, column 'bodyValid': must be 0 or 1. Received: '2'"),
    ],
)
def test_wrong_lines_are_named(path, line, message):
    path.write_text(box_lines()[0] + line)
    with pytest.raises(InputError, match=message):
        read_boxes(path)


def test_a_file_without_bodies_is_refused(path):
    path.write_text("5,1,1,0,0,0,0,0,1,2,3,4\n")
    with pytest.raises(InputError, match=r"bodyValid must be 1 in some rows. Received: 0 in all 1"):
        read_boxes(path)
