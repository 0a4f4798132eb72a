import filecmp

import numpy as np
import pytest

from reid_tf.datasets.pedestrians.street import Street
from reid_tf.datasets.readers.box import read_detections
from reid_tf.datasets.readers.video import read_frames
from reid_tf.errors import InputError
from reid_tf.footage.camera import read_cameras
from reid_tf.footage.street import draw_street

SMALL = Street(people=3, cameras=2, seconds=12, rate=5, size=(120, 200))


def test_footage_boxes_and_truth(tmp_path):
    cameras = read_cameras(draw_street(tmp_path / "street", SMALL))
    assert [one.camera for one in cameras] == ["camera1", "camera2"]
    for one in cameras:
        frames = list(read_frames(one.video, range(SMALL.frames)))
        assert frames[0].shape == (120, 200, 3)
        boxes, truth = one.read_boxes(), read_detections(tmp_path / "street" / "truth" / f"{one.camera}.txt")
        assert set(truth.tracks.tolist()) <= {1, 2, 3}
        assert len(set(boxes.tracks.tolist())) >= len(set(truth.tracks.tolist()))
        assert (boxes.edges >= 0).all()
        # Each box of the tracker covers a true one.
        for frame, box in zip(boxes.frames, boxes.edges, strict=True):
            true = np.clip(truth.edges[truth.frames == frame], 0, [200, 120, 200, 120])
            assert np.abs(true - box).max(axis=1).min() < 12


def test_drawn_once_and_the_same(tmp_path):
    table = draw_street(tmp_path / "a", SMALL)
    before = (tmp_path / "a" / "camera1.mp4").stat().st_mtime_ns
    assert draw_street(tmp_path / "a", SMALL) == table
    assert (tmp_path / "a" / "camera1.mp4").stat().st_mtime_ns == before
    draw_street(tmp_path / "b", SMALL)
    for name in ("camera1.txt", "camera2.txt", "truth/camera1.txt", "cameras.csv"):
        assert filecmp.cmp(tmp_path / "a" / name, tmp_path / "b" / name, shallow=False)
    with pytest.raises(InputError, match="holds another street"):
        draw_street(tmp_path / "a", Street())
