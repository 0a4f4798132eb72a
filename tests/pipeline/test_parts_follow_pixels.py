"""Augmentation moves landmarks with the pixels, so boxes made after it still hold the body parts."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.joint_orders import PARTS
from reid_tf.pipeline.augment.augmentation import augment_batch
from reid_tf.pose.part_boxes import part_boxes, parts_seen
from reid_tf.registry import AUGMENTATIONS

HEIGHT, WIDTH = 128, 64
# One colour a part: marks are red on the head's landmarks, green on the trunk's, blue on the lower limbs'.
MARKED = {"head": (0, 14, 15, 16, 17), "trunk": (2, 5), "lower_limbs": (9, 10, 12, 13)}
OPERATIONS = {
    "flip": [{"name": "flip", "probability": 1.0}],
    "half_flipped": [{"name": "flip"}],
    "random_crop": [{"name": "random_crop", "padding": 10}],
    "random_rotation": [{"name": "random_rotation", "degrees": 25.0}],
    "all": [{"name": "random_crop", "padding": 8}, {"name": "flip"}, {"name": "random_rotation"}],
}


@pytest.fixture
def marked():
    """Forty persons who stand in different places, with coloured marks on their landmarks."""
    rng = np.random.default_rng(0)
    x = np.array([50, 50, 36, 33, 30, 64, 67, 70, 42, 41, 40, 58, 59, 60, 47, 53, 43, 57]) / 100
    y = np.array([20, 27, 29, 40, 50, 29, 40, 50, 54, 68, 82, 54, 68, 82, 18, 18, 19, 19]) / 100
    places = np.stack([x, y], axis=-1) + rng.uniform(-0.06, 0.06, (40, 1, 2)) + rng.uniform(-0.02, 0.02, (40, 18, 2))
    images = np.zeros((40, HEIGHT, WIDTH, 3), np.float32)
    for image, points in zip(images, places, strict=True):
        for channel, part in enumerate(PARTS):
            colour = [0, 0, 0]
            colour[channel] = 255
            for joint in MARKED[part]:
                cv2.circle(image, (points[joint] * (WIDTH, HEIGHT)).astype(int).tolist(), 1, colour, -1)
    landmarks = np.concatenate([places, np.ones((40, 18, 1))], axis=-1)
    return {"image": tf.constant(images), "landmarks": tf.constant(landmarks, tf.float32)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_marks_lie_in_the_boxes(marked, name):
    operations = [AUGMENTATIONS.build(operation, image_size=(HEIGHT, WIDTH)) for operation in OPERATIONS[name]]
    changed = augment_batch(operations, marked, tf.constant([3, 4]))
    boxes, seen = part_boxes(changed["landmarks"]).numpy(), parts_seen(changed["landmarks"]).numpy()
    assert seen.mean() > 0.9
    assert (np.abs(changed["image"] - marked["image"]).max(axis=(1, 2, 3)) > 100).any()
    for image, part in zip(*seen.nonzero(), strict=True):
        rows, columns = np.nonzero(changed["image"].numpy()[image, ..., part] > 100)
        assert len(rows)
        left, top, right, bottom = boxes[image, part] * (WIDTH, HEIGHT, WIDTH, HEIGHT)
        assert left <= columns.min() + 0.5 < columns.max() + 0.5 <= right
        assert top <= rows.min() + 0.5 < rows.max() + 0.5 <= bottom


def test_boxes_made_before_would_miss_them(marked):
    """The check above sees a difference: boxes of the unchanged landmarks do not hold the mirrored marks."""
    flip = AUGMENTATIONS.build({"name": "flip", "probability": 1.0}, image_size=(HEIGHT, WIDTH))
    images = flip(dict(marked), tf.constant([3, 4]))["image"].numpy()
    boxes = part_boxes(marked["landmarks"]).numpy()
    missed = 0
    for image in range(40):
        _, columns = np.nonzero(images[image, ..., 1] > 100)
        missed += columns.min() < boxes[image, 1, 0] * WIDTH or columns.max() > boxes[image, 1, 2] * WIDTH
    assert missed > 4
