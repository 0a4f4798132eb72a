import numpy as np
import pytest
import tensorflow as tf

from reid_tf.pipeline.augment.flip import flip
from reid_tf.pose.mirror import MIRRORED_LANDMARKS

ARM, LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
NAMES = [
    *("nose", "neck"),
    *(f"{side}_{joint}" for limb in (ARM, LEG) for side in ("right", "left") for joint in limb),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
]


def test_flipped_images_are_mirrored_and_the_others_untouched(image_batch, apply):
    before = image_batch["image"].numpy()
    np.testing.assert_array_equal(apply(flip(probability=0.0), image_batch)["image"], before)
    np.testing.assert_array_equal(apply(flip(probability=1.0), image_batch)["image"], before[:, :, ::-1])
    half = apply(flip(), image_batch)["image"]
    mirrored = [np.array_equal(image, original[:, ::-1]) for image, original in zip(half, before, strict=True)]
    kept = [np.array_equal(image, original) for image, original in zip(half, before, strict=True)]
    assert np.all(np.logical_xor(mirrored, kept))
    assert 0 < sum(mirrored) < 6


@pytest.mark.parametrize("probability", [0.5, 0.2])
def test_the_rate_is_the_probability(probability):
    images = np.tile(np.arange(2, dtype=np.float32)[None, None, :, None], (10000, 1, 1, 3))
    after = flip(probability=probability)({"image": tf.constant(images)}, tf.constant([3, 4]))["image"].numpy()
    flipped = after[:, 0, 0, 0] == 1.0
    deviation = np.sqrt(probability * (1 - probability) / 10000)
    assert abs(flipped.mean() - probability) < 4 * deviation
    both = (flipped[1:] & flipped[:-1]).mean()  # neighbours are independent
    assert abs(both - probability**2) < 4 * probability / 100


def test_left_and_right_joints_change_places():
    swapped = [NAMES[index] for index in MIRRORED_LANDMARKS]
    exchange = {"right": "left", "left": "right"}
    assert swapped == ["_".join(exchange.get(word, word) for word in name.split("_")) for name in NAMES]


def test_landmarks_move_with_the_pixels(dotted, find_dot):
    for joint in range(18):
        batch = dotted([1, 5, 3, 7], [0, 2, 3, 1], 8, 4, joint)
        after = {key: value.numpy() for key, value in flip()(batch, tf.constant([joint, 0])).items()}
        for index, dot in enumerate(find_dot(after["image"])):
            moved = not np.array_equal(after["image"][index], batch["image"][index])
            landmark = after["landmarks"][index, MIRRORED_LANDMARKS[joint] if moved else joint]
            np.testing.assert_allclose(landmark, [*dot, 1.0], atol=1e-6)
