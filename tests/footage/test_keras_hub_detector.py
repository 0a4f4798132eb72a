"""KerasHub's detectors from presets in folders: what goes in, whose boxes come out, and what is refused."""

import importlib
import importlib.util

import cv2
import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.footage.detectors import detector_named

SIZE = (64, 128)
installed = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="KerasHub is absent: reid_tf[hub]")


def save(folder, classes=1, **converter):
    """A small RetinaNet with random weights."""
    hub = importlib.import_module("keras_hub")
    keras.utils.set_random_seed(0)
    residual = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        image_shape=(*SIZE, 3),
    )
    backbone = hub.models.RetinaNetBackbone(
        image_encoder=residual, min_level=3, max_level=4, use_p5=False, image_shape=(*SIZE, 3)
    )
    size = {"image_size": SIZE, **converter}
    preprocessor = hub.models.RetinaNetObjectDetectorPreprocessor(hub.layers.RetinaNetImageConverter(**size))
    network = hub.models.RetinaNetObjectDetector(backbone, num_classes=classes, preprocessor=preprocessor)
    network.save_to_preset(folder)
    return network


@installed
@pytest.mark.parametrize(
    ("converter", "left", "across"),
    [({"crop_to_aspect_ratio": False, "scale": 1 / 255}, 0, 128), ({"crop_to_aspect_ratio": True}, 42, 43)],
    ids=["stretched", "letterboxed"],
)
def test_boxes_are_the_networks_own_in_the_frame(converter, left, across, tmp_path):
    network = save(tmp_path / "preset", **converter)
    network.prediction_decoder.confidence_threshold = 0.05
    frame = np.random.default_rng(0).integers(0, 256, (128, 86, 3), np.uint8)
    whole = np.full((*SIZE, 3), 114, np.uint8)
    whole[:, left : left + across] = cv2.resize(frame, (across, 64))
    expected = network.predict(whole[np.newaxis, ..., ::-1].astype(np.float32), verbose=0)
    count = int(expected["num_detections"][0])
    edges = expected["boxes"][0, :count][:, [1, 0, 3, 2]]
    edges = (edges - [left, 0, left, 0]) / np.tile([across / 86, 64 / 128], 2)
    edges = np.clip(edges, 0, [86, 128, 86, 128])
    kept = (edges[:, 2:] > edges[:, :2]).all(axis=1)
    assert kept.sum() > 5
    boxes, scores = detector_named(f"keras_hub:{tmp_path / 'preset'}")(frame)
    np.testing.assert_allclose(boxes, edges[kept], atol=0.05)
    np.testing.assert_allclose(scores, expected["confidence"][0, :count][kept], atol=1e-4)


@installed
def test_people_alone_are_kept(tmp_path):
    """Of classes as COCO numbers them people are the second one."""
    network = save(tmp_path / "preset", classes=91, crop_to_aspect_ratio=False)
    network.prediction_decoder.confidence_threshold = 0.05
    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    found = network.predict(frame[np.newaxis, ..., ::-1].astype(np.float32), verbose=0)
    boxes, scores = detector_named(f"keras_hub:{tmp_path / 'preset'}")(frame)
    top, left, bottom, right = np.clip(found["boxes"][0].T, 0, np.reshape([64, 128, 64, 128], (4, 1)))
    people = (found["labels"][0] == 1) & (bottom > top) & (right > left)
    assert 0 < len(boxes) == people.sum() < int(found["num_detections"][0])
    np.testing.assert_allclose(scores, found["confidence"][0][people], atol=1e-4)


@installed
def test_what_is_no_detector(tmp_path):
    with pytest.raises(InputError, match=r"preset '.*gone' cannot be had as a detector \(.*\)\.$"):
        detector_named(f"keras_hub:{tmp_path / 'gone'}")
    save(tmp_path / "sizeless", image_size=None)
    with pytest.raises(InputError, match="sizeless' must say the size of its images"):
        detector_named(f"keras_hub:{tmp_path / 'sizeless'}")
    save(tmp_path / "voc", classes=20, crop_to_aspect_ratio=False)
    with pytest.raises(InputError, match=r"91 numbers. Received: 20 classes"):
        detector_named(f"keras_hub:{tmp_path / 'voc'}")


@pytest.mark.skipif(importlib.util.find_spec("keras_hub") is not None, reason="KerasHub is installed")
def test_without_keras_hub_it_is_a_sentence():
    with pytest.raises(InputError, match=r"'keras_hub:dfine_small_coco' needs the package 'keras-hub', .*reid_tf\[hub"):
        detector_named("keras_hub:dfine_small_coco")
