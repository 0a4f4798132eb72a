import shutil
import time

import h5py
import numpy as np
import pytest

from reid_tf.datasets.joint_orders import MPII_14, in_coco_18
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import load_images
from reid_tf.pose.landmark_metrics import landmark_metrics
from reid_tf.registry import DETECTORS

# Crops of the sample whose rows in the published body points are known: rows are sorted by file name.
PUBLISHED = {
    "0001_c1s1_001051_00.jpg": ("query", 0),
    "0022_c6s1_002976_01.jpg": ("train", 132),
    "0027_c2s2_091032_02.jpg": ("train", 177),
    "0032_c6s1_002851_01.jpg": ("train", 213),
}


def movenet(path, **options):
    return DETECTORS.build({"name": "movenet", "model_file": str(path), **options})


@pytest.mark.parametrize("interpreters", [None, 1, 3])
def test_places_in_the_square_become_places_in_the_crop(dot_finder, interpreters):
    detector = movenet(dot_finder, interpreters=interpreters)
    height, width = detector.image_size
    assert (height, width) == (48, 24)
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, height, 20), rng.integers(0, width, 20)
    images = np.zeros((20, height, width, 3), np.uint8)
    images[np.arange(20), rows, columns] = 255
    landmarks = detector(images, [""] * 20)
    assert landmarks.dtype == np.float32
    expected = np.stack([(columns + 0.5) / width, (rows + 0.5) / height], axis=-1)
    np.testing.assert_allclose(landmarks[..., :2], np.tile(expected[:, np.newaxis], (1, 18, 1)), atol=1e-6)
    # Nose, neck (the lower score of both shoulders), right shoulder, and the ears at the end.
    np.testing.assert_allclose(landmarks[0, [0, 1, 2, 16, 17], 2], np.array([0, 5, 6, 4, 3]) / 20, atol=1e-6)


def test_fewer_images_than_interpreters(dot_finder):
    detector = movenet(dot_finder, interpreters=4)
    assert detector(np.zeros((1, 48, 24, 3), np.uint8), [""]).shape == (1, 18, 3)


def test_the_same_file_elsewhere_is_the_same_detector(dot_finder, other_model, tmp_path):
    copy = shutil.copy(dot_finder, tmp_path / "copy.tflite")
    assert movenet(copy, interpreters=2).description == movenet(dot_finder, interpreters=1).description
    assert movenet(dot_finder).description["name"] == "movenet"


def test_what_is_no_movenet_is_named(dot_finder, other_model, tmp_path):
    with pytest.raises(InputError, match="'.*none.tflite' cannot be read: No such file"):
        movenet(tmp_path / "none.tflite")
    for content in (b"", b"<html>a page", dot_finder.read_bytes()[:400]):
        (tmp_path / "bad.tflite").write_bytes(content)
        with pytest.raises(InputError, match=r"bad.tflite' is not a TensorFlow Lite file: it begins with b'"):
            movenet(tmp_path / "bad.tflite")
    message = r"not a single-pose MoveNet, .* Received: \[1, 48, 48, 3\] into \[1, 3\]"
    with pytest.raises(InputError, match=message):
        movenet(other_model)
    with pytest.raises(InputError, match="'interpreters' .* must be at least 1. Received: 0"):
        movenet(dot_finder, interpreters=0)


@pytest.mark.real_data
def test_real_crops_agree_with_published_body_points(real_data):
    detector = movenet(real_data / "pose" / "movenet_single_pose_lightning_ptq.tflite")
    paths = [str(real_data / "market1501-sample" / name) for name in PUBLISHED]
    true = []
    for split, row in PUBLISHED.values():
        with h5py.File(real_data / "market1501-body-point" / f"market1501_14point_{split}.mat") as file:
            places = file["pp"][row].reshape(2, 14).T - 0.5
        true.append(np.concatenate([places / (64, 128), np.ones((14, 1))], axis=1))
    found = detector(load_images(paths, detector.image_size), paths)
    metrics = landmark_metrics(found, in_coco_18(np.array(true), MPII_14), (128, 64))
    assert metrics.images == 4
    assert metrics.mean > 0.9


@pytest.mark.real_data
def test_a_minute_is_enough_for_thousands(real_data):
    detector = movenet(real_data / "pose" / "movenet_single_pose_lightning_ptq.tflite")
    images = np.random.default_rng(0).integers(0, 256, (32, *detector.image_size, 3), np.uint8)
    detector(images, [""] * 32)
    start = time.process_time()
    detector(images, [""] * 32)
    assert (time.process_time() - start) / 32 < 1 / 30  # seconds of one core: 60 images/s on two
