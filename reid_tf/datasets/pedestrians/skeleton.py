"""A walking skeleton: a build, a phase of the step and a viewpoint become 18 points in the order of COCO-18.

Body coordinates: x to the person's left, y up, z forward, in body heights, the ground
at y = 0. On the screen x points right and y down; the camera looks slightly down, so
that what is nearer stands lower.
"""

import numpy as np

from reid_tf.datasets.pedestrians.look import Body

NOSE, NECK = 0, 1
SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE = (2, 5), (3, 6), (4, 7), (8, 11), (9, 12), (10, 13)  # right, left
EYE, EAR = (14, 15), (16, 17)
JOINTS = 18

ARM, FOREARM = 0.165, 0.145
ANKLE_HEIGHT = 0.04
PITCH = 0.16  # radians by which the camera looks down

# Where a joint lies on the body, seen from inside: it is hidden when this side is turned away from the camera.
OUTWARD = np.zeros((JOINTS, 3), np.float32)
OUTWARD[NOSE] = 0, 0, 1
for _right, _left in (SHOULDER, HIP, EAR):
    OUTWARD[_right], OUTWARD[_left] = (-1, 0, 0), (1, 0, 0)
OUTWARD[EYE[0]], OUTWARD[EYE[1]] = (-0.35, 0, 0.94), (0.35, 0, 0.94)


def walking(body: Body, phase: float, stride: float) -> np.ndarray:
    """Poses a body in the middle of a step.

    Args:
        body: `Body`.
        phase: float, radians. 0: the legs pass each other, the right one swinging
            forward; pi / 2: right leg in front.
        stride: float, radians. Largest angle of a thigh from the vertical; 0 stands
            still.

    Returns:
        float32 [18, 3]: x, y, z of every joint in body coordinates.
    """
    points = np.zeros((JOINTS, 3), np.float32)
    trunk = np.array([0.0, np.cos(body.stoop), np.sin(body.stoop)])
    shoulder_height = 1.0 - body.legs - body.head * 1.28
    neck = np.array([0.0, body.legs, 0.0]) + trunk * shoulder_height
    points[NECK] = neck
    for index, side in enumerate((-1.0, 1.0)):
        step = phase if side < 0 else phase + np.pi
        points[HIP[index]] = side * body.hips, body.legs, 0.0
        _leg(points, index, body, stride * np.sin(step), stride * max(0.0, np.cos(step)))
        points[SHOULDER[index]] = neck + np.array([side * body.shoulders, 0.0, 0.0])
        _arm(points, index, side, -0.9 * stride * np.sin(step))
    _face(points, neck, body)
    points[:, 1] -= points[list(ANKLE), 1].min() - ANKLE_HEIGHT  # the standing foot touches the ground
    return points


def _leg(points: np.ndarray, index: int, body: Body, swing: float, lift: float) -> None:
    thigh, shin = body.legs * 0.48, body.legs * 0.52 - ANKLE_HEIGHT
    bend = swing - 0.06 - 1.3 * lift
    points[KNEE[index]] = points[HIP[index]] + thigh * np.array([0.0, -np.cos(swing), np.sin(swing)])
    points[ANKLE[index]] = points[KNEE[index]] + shin * np.array([0.0, -np.cos(bend), np.sin(bend)])


def _arm(points: np.ndarray, index: int, side: float, swing: float) -> None:
    spread = 0.16 * side
    bend = swing + 0.25 + 0.4 * max(0.0, swing)
    points[ELBOW[index]] = points[SHOULDER[index]] + ARM * np.array([spread, -np.cos(swing), np.sin(swing)])
    points[WRIST[index]] = points[ELBOW[index]] + FOREARM * np.array([0.4 * spread, -np.cos(bend), np.sin(bend)])


def _face(points: np.ndarray, neck: np.ndarray, body: Body) -> None:
    head, radius = body.head, body.head * 0.42
    centre = neck + np.array([0.0, head * 0.76, radius * 0.3 + 0.3 * head * np.sin(body.stoop)])
    points[NOSE] = centre + np.array([0.0, -0.1, 1.0]) * radius
    for index, side in enumerate((-1.0, 1.0)):
        points[EYE[index]] = centre + np.array([0.38 * side, 0.2, 0.86]) * radius
        points[EAR[index]] = centre + np.array([0.92 * side, 0.05, 0.0]) * radius


def project(points: np.ndarray, yaw: float) -> np.ndarray:
    """Turns body coordinates into screen directions.

    Args:
        points: float [n, 3]. Body coordinates.
        yaw: float, radians. 0 faces the camera, pi / 2 walks to the right of the
            screen, pi shows the back.

    Returns:
        float32 [n, 3]: x right, y down, nearness to the camera; in body heights.
    """
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    near = z * np.cos(yaw) - x * np.sin(yaw)
    across = x * np.cos(yaw) + z * np.sin(yaw)
    return np.stack([across, -y * np.cos(PITCH) + near * np.sin(PITCH), near], axis=1).astype(np.float32)


def facing(yaw: float) -> np.ndarray:
    """Returns how much each joint's side of the body looks at the camera: float32 [18], 1 = fully, -1 = turned away."""
    return (OUTWARD[:, 2] * np.cos(yaw) - OUTWARD[:, 0] * np.sin(yaw)).astype(np.float32)
