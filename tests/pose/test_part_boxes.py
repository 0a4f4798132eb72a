import logging

import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pose.mirror import MIRRORED_LANDMARKS, mirrored_boxes
from reid_tf.pose.part_boxes import (
    PARTS,
    check_part_boxes,
    describe_regions,
    log_regions,
    part_boxes,
    parts_seen,
)

NECK, HIPS, ANKLES = 1, (8, 11), (10, 13)
JOINTS = {
    "head": (0, 1, 14, 15, 16, 17),
    "trunk": (1, 2, 5, 8, 11),
    "lower_limbs": (8, 9, 10, 11, 12, 13),
}
HEAD, TRUNK, LIMBS = range(3)
LEAST = ((0.25, 0.1), (0.35, 0.2), (0.3, 0.25))  # of width and height, by part


@pytest.fixture
def standing():
    """One person who stands upright, every landmark seen."""
    x = [50, 50, 35, 30, 28, 65, 70, 72, 40, 41, 42, 60, 59, 58, 47, 53, 42, 58]
    y = [12, 20, 21, 35, 48, 21, 35, 48, 50, 70, 90, 50, 70, 90, 10, 10, 11, 11]
    return np.stack([np.array(x) / 100, np.array(y) / 100, np.ones(18)], axis=-1).astype(np.float32)[np.newaxis]


@pytest.fixture
def anywhere():
    """Landmarks anywhere with any confidence."""
    return np.random.default_rng(0).random((500, 18, 3), np.float32)


def naive(landmarks, part):
    """The extremes of a part's visible landmarks, one by one."""
    points = [(x, y) for x, y, confidence in landmarks[list(JOINTS[part])] if confidence >= 0.15]
    return [f(values) for f in (min, max) for values in zip(*points, strict=True)]


def test_without_margins_boxes_are_the_extremes(standing, anywhere):
    landmarks = np.concatenate([standing, anywhere])
    boxes = part_boxes(landmarks, margin=0.0, image_margin=0.0)
    seen = parts_seen(landmarks)
    assert boxes.dtype == np.float32
    assert boxes.shape == (501, 3, 4)
    assert 0.3 < seen.mean() < 1.0
    for image, part in zip(*seen.nonzero(), strict=True):
        left, top, right, bottom = naive(landmarks[image], PARTS[part])
        height = bottom - top
        # The crown is half a box above the face's landmarks, the sole a twelfth below the ankles.
        top = max(top - (0.5 * height if part == HEAD else 0), 0)
        bottom = min(bottom + (0.08 * height if part == LIMBS else 0), 1)
        box = boxes[image, part]
        if right - left >= LEAST[part][0]:
            np.testing.assert_allclose(box[[0, 2]], [left, right], atol=1e-6)
        if bottom - top >= LEAST[part][1]:
            np.testing.assert_allclose(box[[1, 3]], [top, bottom], atol=1e-6)


def test_margins_widen_every_side(standing):
    standing[0, [2, 5], 0] = 0.3, 0.7
    plain = part_boxes(standing, margin=0.0, image_margin=0.0)
    trunk = part_boxes(standing, margin=0.1, image_margin=0.02)[0, TRUNK]
    left, top, right, bottom = plain[0, TRUNK]
    wider, higher = 0.1 * (right - left) + 0.02, 0.1 * (bottom - top) + 0.02
    np.testing.assert_allclose(trunk, [left - wider, top - higher, right + wider, bottom + higher], atol=1e-6)


def test_arms_widen_the_trunk_alone(standing):
    standing[0, 4, 0], standing[0, 7, 1] = 0.1, 0.7
    without = part_boxes(standing)[0]
    with_arms = part_boxes(standing, arms=True)[0]
    assert with_arms[TRUNK, 0] < without[TRUNK, 0]
    assert with_arms[TRUNK, 3] > without[TRUNK, 3]
    np.testing.assert_array_equal(with_arms[[HEAD, LIMBS]], without[[HEAD, LIMBS]])


@pytest.mark.parametrize(
    ("hidden", "seen"),
    [
        ((), (True, True, True)),
        ((0, 14, 15, 16, 17), (False, True, True)),
        ((0, 14, 15, 16), (True, True, True)),
        ((NECK,), (False, True, True)),
        ((NECK, 2, 5), (False, False, True)),
        (HIPS, (True, False, False)),
        ((8,), (True, True, True)),
        (ANKLES, (True, True, False)),
        (range(18), (False, False, False)),
    ],
)
def test_a_part_needs_both_its_ends(standing, hidden, seen):
    standing[0, list(hidden), 2] = 0.1
    assert parts_seen(standing)[0].tolist() == list(seen)
    boxes = part_boxes(standing)[0]
    nothing = part_boxes(np.zeros((1, 18, 3)))[0]
    for part in range(3):
        assert (boxes[part] == nothing[part]).all() == (not seen[part])


def test_landmarks_in_one_place_have_no_extent(standing):
    standing[0, :, :2] = 0.5
    assert not parts_seen(standing).any()


def test_the_least_confidence_is_a_parameter(standing):
    standing[..., 2] = 0.1
    assert not parts_seen(standing).any()
    assert parts_seen(standing, least_confidence=0.1).all()
    np.testing.assert_array_equal(part_boxes(standing), part_boxes(np.zeros((1, 18, 3))))
    assert (part_boxes(standing, least_confidence=0.1) != part_boxes(standing)).any()


def test_no_box_is_degenerate_or_leaves_the_image(anywhere):
    # On the edge, in a line, and unseen far outside.
    anywhere[:100, :, 0] = np.round(anywhere[:100, :, 0])
    anywhere[100:200, :, :2] = 1.0
    anywhere[100:200, ::2, 1] = 0.0
    anywhere[200:300, :, 2] = 0.0
    anywhere[200:300, :, :2] = 30.0
    boxes = part_boxes(anywhere)
    check_part_boxes(boxes)
    assert (boxes[..., 2:] - boxes[..., :2] >= np.array(LEAST) - 1e-6).all()


@pytest.mark.parametrize("arms", [False, True])
def test_the_mirrored_image_has_the_mirrored_boxes(anywhere, arms):
    mirrored = anywhere[:, MIRRORED_LANDMARKS] * (-1, 1, 1) + (1, 0, 0)
    expected = mirrored_boxes(part_boxes(anywhere, arms=arms))
    np.testing.assert_allclose(part_boxes(mirrored, arms=arms), expected, atol=1e-6)
    np.testing.assert_array_equal(parts_seen(mirrored), parts_seen(anywhere))


def test_eager_pipeline_and_saved_model_agree(anywhere, tmp_path):
    expected = part_boxes(anywhere)
    dataset = tf.data.Dataset.from_tensor_slices(anywhere).batch(200).map(part_boxes)
    assert dataset.element_spec.shape.as_list() == [None, 3, 4]
    np.testing.assert_array_equal(np.concatenate(list(dataset.as_numpy_iterator())), expected)
    module = tf.Module()
    module.boxes = tf.function(part_boxes, input_signature=[tf.TensorSpec([None, 18, 3])])
    tf.saved_model.save(module, str(tmp_path))
    np.testing.assert_array_equal(tf.saved_model.load(str(tmp_path)).boxes(tf.constant(anywhere)), expected)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0.1, np.nan, 0.5, 0.9), "finite numbers. Received for the trunk of image 1: 0.1, nan, 0.5"),
        ((0.1, 0.2, 64.0, 128.0), r"in \[0, 1\] of the image .*, not pixels. Received for the trunk .*64, 128"),
        ((-0.1, 0.2, 0.5, 0.9), r"in \[0, 1\]"),
        ((0.5, 0.2, 0.5, 0.9), "such that left < right and top < bottom. .*0.5, 0.2, 0.5, 0.9"),
        ((0.1, 0.9, 0.5, 0.2), "such that left < right and top < bottom"),
    ],
)
def test_what_is_no_box_is_named(standing, box, message):
    boxes = np.repeat(part_boxes(standing), 2, axis=0)
    check_part_boxes(boxes)
    boxes[1, TRUNK] = box
    with pytest.raises(InputError, match=message):
        check_part_boxes(boxes)


def test_other_shapes_are_named():
    with pytest.raises(InputError, match=r"\[batch, 3, 4\]. Received: \[3, 4\], float64"):
        check_part_boxes(np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"Received: \[1, 3, 4\], <U1"):
        check_part_boxes(np.full((1, 3, 4), "x"))


def test_regions_taken_are_counted(standing, caplog):
    landmarks = np.repeat(standing, 1200, axis=0)
    landmarks[:3, NECK, 2] = 0
    landmarks[:1100, ANKLES, 2] = 0
    text = "the pre-defined region for 3 heads, 0 trunks and 1,100 lower limbs of 1,200 images"
    assert describe_regions(list(landmarks)) == text
    with caplog.at_level(logging.INFO):
        log_regions(landmarks)
    assert caplog.messages == [f"part boxes: {text}."]
    assert describe_regions([]).endswith("0 lower limbs of 0 images")
