import numpy as np
import pytest

from reid_tf.encoder.boxes import embed_boxes_of_frames
from reid_tf.errors import InputError
from tests.commands.made_run import colour_encoder

RED, BLUE = (230, 10, 20), (10, 20, 230)


@pytest.fixture(scope="module")
def encoder():
    return colour_encoder()  # the mean red, green and blue


def street(height=60, width=80):
    """A grey RGB frame with a red person on the left and a blue one on the right."""
    frame = np.full((height, width, 3), 128, np.uint8)
    frame[10:50, 5:20] = RED
    frame[10:50, 50:65] = BLUE
    return frame


def test_boxes_are_crops_in_rgb(encoder):
    boxes = [[5, 10, 20, 50], [50, 10, 65, 50]]
    for frame, colour in ((street(), "rgb"), (street()[..., ::-1], "bgr")):
        found = encoder.embed_boxes(frame, boxes, colour)
        assert found.good.all()
        assert found.reasons == ("", "")
        np.testing.assert_allclose(found.vectors, [RED, BLUE], atol=1)


def test_equals_cropping_by_hand(encoder):
    generator = np.random.default_rng(0)
    frame = generator.integers(0, 256, (90, 120, 3), np.uint8)
    corners = np.sort(generator.uniform(0, 80, (50, 2, 2)), axis=1).reshape(50, 4)
    corners[:, 2:] += 8
    found = encoder.embed_boxes(frame, corners, "rgb")
    crops = [
        frame[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] for left, top, right, bottom in corners
    ]
    np.testing.assert_array_equal(found.vectors, encoder(crops))


def test_bad_boxes_stop_nothing(encoder):
    boxes = [
        [5, 10, 20, 50],
        [-30, -30, 15, 30],  # half outside
        [100, 10, 120, 50],
        [20, 10, 5, 50],
        [5, 10, 5, 50],
        [np.nan, 10, 20, 50],
        [77, 10, 90, 50],
        [-np.inf, 10, 20, 50],
    ]
    found = encoder.embed_boxes(street(), boxes, "rgb")
    assert found.good.tolist() == [True, True, False, False, False, False, False, False]
    assert np.isfinite(found.vectors[found.good]).all()
    assert np.isnan(found.vectors[~found.good]).all()
    words = ("outside the frame of 80 x 60", "inverted", "empty", "not finite", "smaller than 4 pixels", "not finite")
    for reason, word in zip(found.reasons[2:], words, strict=True):
        assert word in reason


def test_no_boxes_give_no_rows(encoder):
    for nothing in ([], np.zeros((0, 4))):
        found = encoder.embed_boxes(street(), nothing)
        assert found.vectors.shape == (0, 3)
        assert found.reasons == ()


def test_batches_across_frames(encoder):
    frames = [street(), street(70, 100), street()]
    boxes = [[[5, 10, 20, 50]], [], [[50, 10, 65, 50], [90, 0, 99, 9]]]
    together = embed_boxes_of_frames(encoder, frames, boxes, "rgb", batch_size=2)
    for frame, of_frame, found in zip(frames, boxes, together, strict=True):
        alone = encoder.embed_boxes(frame, of_frame, "rgb")
        np.testing.assert_array_equal(found.vectors, alone.vectors)
        assert found.reasons == alone.reasons


@pytest.mark.parametrize(
    ("frame", "boxes", "options", "message"),
    [
        (np.zeros((4, 4), np.uint8), [], {}, r"frame 0 of shape \[4, 4\]"),
        (np.zeros((4, 4, 3)), [], {}, "float64"),
        (street(), [[1, 2, 3]], {}, r"Received: shape \[1, 3\] for frame 0"),
        (street(), [], {"colour": "gbr"}, "Received: colour='gbr'"),
        (street(), [], {"least_side": 0}, "Received: least_side=0"),
    ],
)
def test_bad_input_is_one_sentence(encoder, frame, boxes, options, message):
    with pytest.raises(InputError, match=message):
        encoder.embed_boxes(frame, boxes, **options)


def test_every_frame_has_its_boxes(encoder):
    with pytest.raises(InputError, match="Received: 2 frames and 1 arrays of boxes"):
        embed_boxes_of_frames(encoder, [street(), street()], [[]])
