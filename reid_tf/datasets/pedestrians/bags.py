"""Paints what people carry: backpack, shoulder bag, handbag."""

import numpy as np

from reid_tf.datasets.pedestrians.canvas import Canvas, Part, box, ellipse, limb, moved
from reid_tf.datasets.pedestrians.look import Bag
from reid_tf.datasets.pedestrians.skeleton import HIP, NECK, SHOULDER, WRIST
from reid_tf.datasets.pedestrians.view import View


def paint_backpack(canvas: Canvas, bag: Bag, view: View) -> None:
    """Paints the pack itself; the straps of a front view are `paint_backpack_straps`."""
    size, neck = bag.size * view.scale, view.joints[NECK]
    middle = moved(neck, -0.115 * view.scale * view.right, 0.03 * view.scale + 0.5 * size)
    half = view.half_width(0.4 * bag.size, 0.24 * bag.size)
    canvas.fill(_shape(bag.shape, middle, half, 0.5 * size), bag.colours[0], Part.BAG)
    if view.front < 0.3:
        pocket = moved(middle, -0.3 * half * view.right, 0.2 * size)
        canvas.fill(_shape(bag.shape, pocket, 0.62 * half, 0.2 * size), bag.colours[1], Part.BAG)


def paint_backpack_straps(canvas: Canvas, bag: Bag, view: View) -> None:
    """Paints the straps over the shoulders, for a view that shows the chest."""
    for joint in SHOULDER:
        shoulder = view.joints[joint]
        top = shoulder + (view.joints[NECK] - shoulder) * 0.42
        bottom = moved(top, 0, 0.2 * view.scale)
        canvas.fill(limb(top, bottom, 0.013 * view.scale, 0.013 * view.scale)[0], bag.colours[1], Part.TRUNK)


def paint_shoulder_bag(canvas: Canvas, bag: Bag, view: View) -> None:
    """Paints a bag at the hip; its strap is `paint_strap`."""
    half = view.half_width(0.2 * bag.size, 0.62 * bag.size)
    _paint_bag(canvas, bag, _at_hip(bag, view), half, 0.5 * bag.size * view.scale)


def paint_strap(canvas: Canvas, bag: Bag, view: View) -> None:
    """Paints the strap of a shoulder bag, which crosses the trunk to the other shoulder."""
    shoulder = view.joints[SHOULDER[0 if bag.side > 0 else 1]]
    start = shoulder + (view.joints[NECK] - shoulder) * 0.45
    thick = 0.011 * view.scale
    canvas.fill(limb(start, _at_hip(bag, view), thick, thick)[0], bag.colours[1], Part.TRUNK)


def paint_handbag(canvas: Canvas, bag: Bag, view: View) -> None:
    """Paints a bag that hangs from the hand."""
    hand = view.joints[WRIST[1 if bag.side > 0 else 0]]
    half, tall = view.half_width(0.25 * bag.size, 0.6 * bag.size), 0.5 * bag.size * view.scale
    middle = moved(hand, 0, 0.06 * view.scale + tall)
    thick = 0.008 * view.scale
    for side in (-0.5, 0.5):
        handle, _ = limb(hand, moved(middle, side * half, -0.8 * tall), thick, thick)
        canvas.fill(handle, bag.colours[1], Part.BAG)
    _paint_bag(canvas, bag, middle, half, tall)


def is_far(bag: Bag, view: View) -> bool:
    """Whether the hip at which a shoulder bag hangs is turned away from the camera."""
    return bag.side * view.right > 0.5


def _at_hip(bag: Bag, view: View) -> np.ndarray:
    hip = view.joints[HIP[1 if bag.side > 0 else 0]]
    out = (hip - view.joints[list(HIP)].mean(axis=0)) * 0.9
    return moved(hip + out, 0, 0.25 * bag.size * view.scale)


def _paint_bag(canvas: Canvas, bag: Bag, middle: np.ndarray, half: float, tall: float) -> None:
    canvas.fill(_shape(bag.shape, middle, half, tall), bag.colours[0], Part.BAG)
    flap = box(middle[0] - 0.8 * half, middle[1] - 0.75 * tall, middle[0] + 0.8 * half, middle[1] - 0.15 * tall)
    canvas.fill(flap, bag.colours[1], Part.BAG)


def _shape(name: str, middle: np.ndarray, half: float, tall: float) -> np.ndarray:
    if name == "round":
        return ellipse(middle, half * 1.1, tall * 1.1)
    outline = box(middle[0] - half, middle[1] - tall, middle[0] + half, middle[1] + tall)
    if name == "wedge":  # narrow at the top
        outline[:2, 0] = middle[0] + (outline[:2, 0] - middle[0]) * 0.55
        outline[2:, 0] = middle[0] + (outline[2:, 0] - middle[0]) * 1.2
    return outline
