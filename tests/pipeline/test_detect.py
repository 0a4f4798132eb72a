import dataclasses

import numpy as np
import pytest

from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import load_images
from reid_tf.pipeline.detect import detect_landmarks, detect_missing


class MeanColour:
    """A detector whose landmarks are the mean colour of the image, and that remembers its calls."""

    def __init__(self, image_size=(8, 4)):
        self.description = {"name": "mean_colour"}
        self.image_size = image_size
        self.calls = []

    def __call__(self, images, paths):
        self.calls.append(list(paths))
        if images is None:
            return np.zeros((len(paths), 18, 3), np.float32)
        assert images.dtype == np.uint8
        return np.repeat(images.mean(axis=(1, 2))[:, np.newaxis] / 255, 18, axis=1).astype(np.float32)


def test_landmarks_come_in_the_order_of_the_records(records):
    detector = MeanColour()
    found = np.stack(list(detect_landmarks(detector, records, batch_size=10)))
    paths = [record.path for record in records]
    np.testing.assert_allclose(found[:, 0], load_images(paths, (8, 4)).mean(axis=(1, 2)) / 255, rtol=1e-5)
    assert detector.calls == [paths[:10], paths[10:20], paths[20:]]


def test_a_detector_that_does_not_look_gets_all_paths_at_once(records):
    detector = MeanColour(image_size=None)
    assert len(list(detect_landmarks(detector, records, batch_size=10))) == 25
    assert detector.calls == [[record.path for record in records]]


def test_only_what_is_missing_is_looked_for(records):
    some = tuple(dataclasses.replace(r, landmarks=None) if i % 2 else r for i, r in enumerate(records))
    detector = MeanColour()
    complete = detect_missing(detector, some)
    assert detector.calls == [[record.path for record in some[1::2]]]
    for before, after in zip(some, complete, strict=True):
        assert after.landmarks.shape == (18, 3)
        assert (after.path, after.identity, after.camera) == (before.path, before.identity, before.camera)
        if before.landmarks is not None:
            assert after is before
    assert detect_missing(detector, complete) == complete
    assert len(detector.calls) == 1
    assert detect_missing(detector, ()) == ()


def test_a_broken_image_is_named(records, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    broken = (*records[:3], Record(str(tmp_path / "broken.jpg"), 0, 0))
    with pytest.raises(InputError, match=r"broken.jpg' \(8 bytes\) is not a valid"):
        list(detect_landmarks(MeanColour(), broken))
    with pytest.raises(InputError, match="batch_size must be a whole number of at least 1. Received: batch_size=0"):
        list(detect_landmarks(MeanColour(), records, batch_size=0))
