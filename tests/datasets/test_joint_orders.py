import numpy as np
import pytest

from reid_tf.datasets.joint_orders import (
    BODY_25,
    COCO_17,
    COCO_18,
    JOINTS,
    MPII_14,
    UNKNOWN,
    in_coco_18,
    inside_the_image,
)

# The orders as their authors list them.
COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
OPENPOSE_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "middle_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
    "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
    "right_small_toe", "right_heel",
)  # fmt: skip
MPII = (
    "crown", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
)  # fmt: skip


@pytest.mark.parametrize(
    ("order", "names"), [(COCO_17, COCO), (BODY_25, OPENPOSE_25), (MPII_14, MPII), (COCO_18, JOINTS)]
)
def test_every_joint_is_taken_from_its_place(order, names):
    points = np.random.default_rng(0).random((5, len(names), 3))
    landmarks = in_coco_18(points, order)
    assert landmarks.shape == (5, 18, 3)
    assert landmarks.dtype == np.float32
    for joint, name in enumerate(JOINTS):
        if name in names:
            np.testing.assert_array_equal(landmarks[:, joint], points[:, names.index(name)].astype(np.float32))
        elif name != "neck":
            assert order[joint] == UNKNOWN
            assert not landmarks[:, joint].any()


def test_a_missing_neck_lies_between_the_shoulders():
    points = np.zeros((1, 17, 3))
    points[0, COCO.index("left_shoulder")] = (0.8, 0.2, 0.9)
    points[0, COCO.index("right_shoulder")] = (0.4, 0.3, 0.6)
    np.testing.assert_allclose(in_coco_18(points, COCO_17)[0, 1], (0.6, 0.25, 0.6), rtol=1e-6)


def test_what_lies_outside_loses_its_confidence():
    landmarks = np.tile([0.5, 0.5, 0.7], (1, 18, 1))
    landmarks[0, :5] = [(-0.1, 0.5, 0.7), (0.5, 1.2, 0.7), (0.0, 1.0, 0.7), (0.5, 0.5, 1.3), (0.5, 0.5, -0.1)]
    expected = np.array([(0, 0.5, 0), (0.5, 1, 0), (0, 1, 0.7), (0.5, 0.5, 1), (0.5, 0.5, 0)], np.float32)
    found = inside_the_image(landmarks)
    np.testing.assert_array_equal(found[0, :5], expected)
    np.testing.assert_array_equal(found[0, 5:], landmarks[0, 5:].astype(np.float32))
    assert found.dtype == np.float32
