"""Paints head, hair and hat."""

import numpy as np

from reid_tf.datasets.pedestrians.canvas import Canvas, Part, box, ellipse, limb, moved
from reid_tf.datasets.pedestrians.look import Look
from reid_tf.datasets.pedestrians.palette import bounded
from reid_tf.datasets.pedestrians.skeleton import EAR, EYE, NECK
from reid_tf.datasets.pedestrians.view import View

EYE_COLOUR = (40, 34, 34)
SKULL = {"buzz": 1.0, "short": 1.1, "curly": 1.38, "straight": 1.12, "ponytail": 1.07, "braids": 1.09}


def paint_head(canvas: Canvas, look: Look, view: View) -> None:
    """Paints neck, head, face, short hair and hat on the canvas."""
    centre, radius = _head(view)
    neck = view.joints[NECK]
    outline, _ = limb(moved(neck, 0, 0.01 * view.scale), centre, 0.36 * radius, 0.36 * radius)
    canvas.fill(outline, look.skin, Part.HEAD)
    skull = SKULL[look.hair_style]
    hair = look.hair
    if look.hair_style == "buzz":
        hair = bounded(0.5 * np.asarray(look.hair) + 0.5 * np.asarray(look.skin))
    canvas.fill(
        ellipse(moved(centre, 0, -0.12 * radius * (skull > 1.2)), skull * radius, skull * 1.12 * radius),
        hair,
        Part.HEAD,
    )
    if view.front > -0.4:
        _paint_face(canvas, look, view, centre, radius)
    _paint_hat(canvas, look, view, centre, radius * min(skull, 1.12))


def paint_long_hair(canvas: Canvas, look: Look, view: View) -> None:
    """Paints what hangs down from the head; nothing for short hair."""
    centre, radius = _head(view)
    back = moved(centre, -0.55 * radius * view.right, 0)  # the side of the head that is turned away from the face
    if look.hair_style == "straight":
        fall = limb(back, moved(back, 0, 2.1 * radius), 1.05 * radius, 0.95 * radius)[0]
        canvas.fill(fall, look.hair, Part.HEAD)
    elif look.hair_style == "ponytail":
        back = moved(centre, -0.95 * radius * view.right, -0.3 * radius)
        tail = limb(back, moved(back, -0.5 * radius * view.right, 2.2 * radius), 0.42 * radius, 0.2 * radius)[0]
        canvas.fill(tail, look.hair, Part.HEAD)
    elif look.hair_style == "braids":
        for side in (-1, 1):
            start = moved(back, 0.85 * side * radius * abs(view.front), 0.2 * radius)
            braid = limb(start, moved(start, 0.25 * side * radius, 2.1 * radius), 0.3 * radius, 0.22 * radius)[0]
            canvas.fill(braid, look.hair, Part.HEAD)


def _head(view: View) -> tuple[np.ndarray, float]:
    return view.joints[list(EAR)].mean(axis=0), view.body.head * 0.42 * view.scale


def _paint_face(canvas: Canvas, look: Look, view: View, centre: np.ndarray, radius: float) -> None:
    turned = moved(centre, 0.42 * radius * view.right, 0.24 * radius)
    face = ellipse(turned, radius * (0.6 + 0.36 * max(0.0, view.front)), 0.86 * radius)
    # What would reach beyond the head is pulled back to its edge.
    inside = (face - centre) / (radius, 1.1 * radius)
    length = np.maximum(np.hypot(inside[:, 0], inside[:, 1]), 1.0)[:, None]
    face = centre + inside / length * (radius, 1.1 * radius)
    canvas.fill(face, look.skin, Part.HEAD)
    if look.beard:
        face[:, 1] = np.maximum(face[:, 1], turned[1] + 0.3 * radius)
        canvas.fill(face, look.hair, Part.HEAD)
    for index, side in enumerate((-1, 1)):
        if view.front * 0.94 - side * 0.35 * view.right > 0.1:
            canvas.fill(ellipse(view.joints[EYE[index]], 0.14 * radius, 0.12 * radius), EYE_COLOUR, Part.HEAD)


def _paint_hat(canvas: Canvas, look: Look, view: View, centre: np.ndarray, radius: float) -> None:
    if not look.hat_style:
        return
    crown, trim = look.hat
    dome = ellipse(moved(centre, 0, -0.25 * radius), 1.08 * radius, 1.12 * radius)
    dome[:, 1] = np.minimum(dome[:, 1], centre[1] - 0.3 * radius)
    canvas.fill(dome, crown, Part.HEAD)
    left, right = centre[0] - 1.1 * radius, centre[0] + 1.1 * radius
    if look.hat_style == "beanie":
        canvas.fill(box(left, centre[1] - 0.6 * radius, right, centre[1] - 0.2 * radius), trim, Part.HEAD)
    elif look.hat_style == "brim":
        canvas.fill(ellipse(moved(centre, 0, -0.35 * radius), 1.75 * radius, 0.26 * radius), trim, Part.HEAD)
    elif view.front > -0.5:
        visor = centre + np.array([0.95 * view.right, -0.32 + 0.1 * view.front]) * radius
        canvas.fill(ellipse(visor, 0.8 * radius, 0.2 * radius), trim, Part.HEAD)
