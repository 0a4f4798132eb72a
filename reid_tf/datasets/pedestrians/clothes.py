"""Paints trunk, arms and legs in their clothes."""

import dataclasses

import numpy as np

from reid_tf.datasets.pedestrians.canvas import Canvas, Part, ellipse, limb, moved
from reid_tf.datasets.pedestrians.fabric import COLUMNS, ROWS, weave
from reid_tf.datasets.pedestrians.look import Look
from reid_tf.datasets.pedestrians.skeleton import ANKLE, ELBOW, HIP, KNEE, NECK, SHOULDER, WRIST
from reid_tf.datasets.pedestrians.view import View

ELBOW_ROW = round(ROWS * 0.53)
KNEE_ROW = ROWS // 2
ARMS = (Part.RIGHT_ARM, Part.LEFT_ARM)
LEGS = (Part.RIGHT_LEG, Part.LEFT_LEG)
BARE = 0.75  # width of a bare shin, as a factor on that of a trouser leg
WHOLE_BODY = ("band", "yoke", "hem")  # patterns that belong to the trunk and do not repeat on the sleeves


@dataclasses.dataclass(frozen=True)
class Cloths:
    """The textures of a look, woven once for all its pictures: uint8 [ROWS, COLUMNS, 3] each."""

    trunk: np.ndarray
    arm: np.ndarray
    leg: np.ndarray
    skirt: np.ndarray | None

    @classmethod
    def of(cls, look: Look) -> "Cloths":
        """Weaves what a `Look` wears."""
        lower, dress = weave(look.lower), look.answers["lower_type"] == "dress"
        return cls(
            trunk=weave(look.upper, look.open_front), arm=_arm(look), leg=_leg(look), skirt=lower if dress else None
        )


def _arm(look: Look) -> np.ndarray:
    plain = look.sleeve_colour is not None or look.upper.pattern in WHOLE_BODY
    pattern = "plain" if plain else look.upper.pattern
    colours = (look.sleeve_colour, look.sleeve_colour) if look.sleeve_colour else look.upper.colours
    texture = weave(dataclasses.replace(look.upper, pattern=pattern, colours=colours, front_print="", back_print=""))
    texture[round(look.sleeve * ROWS) :] = look.skin
    return texture


def _leg(look: Look) -> np.ndarray:
    if look.answers["lower_type"] == "dress":
        texture = np.full((ROWS, COLUMNS, 3), look.skin, np.uint8)
    else:
        texture = weave(look.lower)
        texture[round(look.lower.cut * ROWS) :] = look.skin
    if look.socks is not None and look.answers["lower_length"] == "short":
        texture[round(0.78 * ROWS) :] = look.socks
    return texture


def paint_trunk(canvas: Canvas, look: Look, texture: np.ndarray, view: View) -> None:
    """Paints neck, trunk and belt.

    Args:
        canvas: `Canvas`.
        look: `Look`.
        texture: uint8 [ROWS, SEEN, 3]. The upper garment, as seen.
        view: `View`.
    """
    body, joints, scale = look.body, view.joints, view.scale
    neck, hips = joints[NECK], joints[list(HIP)].mean(axis=0)
    hem = hips + (hips - neck) / max(float(np.hypot(*(hips - neck))), 1e-6) * look.upper.cut * scale
    breadth = body.breadth
    shoulder = view.half_width(body.shoulders * 0.86 + 0.032 * breadth, 0.08 * breadth)
    chest = view.half_width(body.shoulders * 0.72 + 0.034 * breadth, 0.102 * breadth)
    waist = view.half_width(0.098 * breadth, 0.09 * breadth)
    hip = view.half_width(body.hips + 0.054 * breadth, 0.092 * breadth)
    hip *= 1.0 + max(0.0, look.upper.cut)
    top = moved(neck, 0, -0.012 * scale)
    rows = np.array([0.0, 0.02, 0.1, 0.3, 0.62, 0.9, 1.0])
    widths = np.array([0.35 * shoulder, 0.8 * shoulder, shoulder, chest, waist, hip, hip])
    middle = top + (hem - top) * rows[:, None]
    offsets = np.stack([widths, np.zeros_like(widths)], axis=1)
    outline = np.concatenate([middle - offsets, (middle + offsets)[::-1]])
    wide = max(shoulder, hip)
    canvas.cloth(outline, _corners(top, hem, wide), texture, Part.TRUNK)
    if look.belt is not None:
        line = limb(moved(hem, -hip, -0.012 * scale), moved(hem, hip, -0.012 * scale), 0.011 * scale, 0.011 * scale)[0]
        canvas.fill(line, look.belt, Part.TRUNK)


def paint_arm(canvas: Canvas, look: Look, texture: np.ndarray, view: View, index: int) -> None:
    """Paints the right (index 0) or left (1) arm; `texture` is uint8 [ROWS, SEEN, 3], as seen."""
    joints, thick = view.joints, 0.5 * (1 + look.body.breadth) * view.scale
    shoulder, elbow, wrist = joints[SHOULDER[index]], joints[ELBOW[index]], joints[WRIST[index]]
    canvas.fill(ellipse(wrist, 0.028 * view.scale, 0.03 * view.scale), look.skin, ARMS[index])
    outline, corners = limb(elbow, wrist, 0.032 * thick, 0.026 * thick)
    canvas.cloth(outline, corners, texture[ELBOW_ROW:], ARMS[index])
    outline, corners = limb(shoulder, elbow, 0.042 * thick, 0.035 * thick)
    canvas.cloth(outline, corners, texture[:ELBOW_ROW], ARMS[index])


def paint_leg(canvas: Canvas, look: Look, texture: np.ndarray, view: View, index: int) -> None:
    """Paints the right (index 0) or left (1) leg with its shoe; `texture` is uint8 [ROWS, SEEN, 3], as seen."""
    joints, scale, thick = view.joints, view.scale, 0.5 * (1 + look.body.breadth) * view.scale
    hip, knee, ankle = joints[HIP[index]], joints[KNEE[index]], joints[ANKLE[index]]
    bare = look.answers["lower_type"] == "dress" or look.answers["lower_length"] == "short"
    flare = BARE if bare else look.lower.flare
    outline, corners = limb(knee, ankle, 0.05 * thick * (0.5 + 0.5 * flare), 0.038 * thick * flare)
    canvas.cloth(outline, corners, texture[KNEE_ROW:], LEGS[index])
    toe = moved(ankle, 0.06 * scale * view.right, (0.018 + 0.018 * view.front) * scale)
    outline, _ = limb(moved(ankle, 0, 0.014 * scale), toe, 0.036 * scale, 0.029 * scale)
    canvas.fill(outline, look.shoes, LEGS[index])
    outline, corners = limb(hip, knee, 0.074 * thick, 0.052 * thick * (0.5 + 0.5 * flare))
    canvas.cloth(outline, corners, texture[:KNEE_ROW], LEGS[index])


def paint_skirt(canvas: Canvas, look: Look, texture: np.ndarray, view: View) -> None:
    """Paints the lower half of a dress; `texture` is uint8 [ROWS, SEEN, 3], as seen."""
    body, joints, scale = look.body, view.joints, view.scale
    top = joints[list(HIP)].mean(axis=0) + np.array([0, -0.05 * scale])
    feet = joints[list(ANKLE)].mean(axis=0)
    bottom = top + (feet - top) * look.lower.cut
    upper = view.half_width(body.hips + 0.05 * body.breadth, 0.088 * body.breadth)
    knees = joints[list(KNEE), 0]
    stretch = 0.5 * float(np.ptp(knees)) + 0.03 * scale
    lower = max(upper * (0.85 + 0.4 * look.lower.flare), stretch)
    outline = np.stack([moved(top, -upper, 0), moved(top, upper, 0), moved(bottom, lower, 0), moved(bottom, -lower, 0)])
    canvas.cloth(outline, _corners(top, bottom, lower), texture, Part.SKIRT)


def _corners(top: np.ndarray, bottom: np.ndarray, half: float) -> np.ndarray:
    """Corners of a texture, as `Canvas.cloth` takes them, that hangs between two points."""
    return np.stack([moved(top, -half, 0), moved(top, half, 0), moved(bottom, -half, 0)])
