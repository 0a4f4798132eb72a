"""Paints a whole person, from what is far to what is near."""

import numpy as np

from reid_tf.datasets.pedestrians import bags, clothes, head
from reid_tf.datasets.pedestrians.canvas import Canvas
from reid_tf.datasets.pedestrians.clothes import Cloths
from reid_tf.datasets.pedestrians.look import Look
from reid_tf.datasets.pedestrians.skeleton import ANKLE, ELBOW, KNEE, WRIST
from reid_tf.datasets.pedestrians.view import View

BEHIND = -0.03  # an arm this far behind the trunk's middle is painted before the trunk, in body heights


def paint_figure(canvas: Canvas, look: Look, cloths: Cloths, view: View) -> None:
    """Paints a person.

    Args:
        canvas: `Canvas`, painted on in place.
        look: `Look`. Who.
        cloths: `Cloths`. The look's textures.
        view: `View`. Where, in which pose and from which side.
    """
    trunk, arm, leg = (view.seen(texture) for texture in (cloths.trunk, cloths.arm, cloths.leg))
    arms = sorted((0, 1), key=lambda index: _near(view, ELBOW[index], WRIST[index]))
    legs = sorted((0, 1), key=lambda index: _near(view, KNEE[index], ANKLE[index]))
    hidden = [index for index in arms if _near(view, ELBOW[index], WRIST[index]) < BEHIND]
    back = view.front < 0.0

    _paint_behind(canvas, look, view)
    for index in hidden:
        _paint_arm(canvas, look, arm, view, index)
    for index in legs:
        clothes.paint_leg(canvas, look, leg, view, index)
    if cloths.skirt is not None:
        clothes.paint_skirt(canvas, look, view.seen(cloths.skirt), view)
    clothes.paint_trunk(canvas, look, trunk, view)
    if look.backpack and not back:
        bags.paint_backpack_straps(canvas, look.backpack, view)
    if look.shoulder_bag:
        bags.paint_strap(canvas, look.shoulder_bag, view)
    head.paint_head(canvas, look, view)
    if look.backpack and back:
        bags.paint_backpack(canvas, look.backpack, view)
    if back:
        head.paint_long_hair(canvas, look, view)
    if look.shoulder_bag and not bags.is_far(look.shoulder_bag, view):
        bags.paint_shoulder_bag(canvas, look.shoulder_bag, view)
    for index in arms:
        if index not in hidden:
            _paint_arm(canvas, look, arm, view, index)


def _paint_behind(canvas: Canvas, look: Look, view: View) -> None:
    """Bags on the far side, and what hangs on a back that is turned away."""
    if look.shoulder_bag and bags.is_far(look.shoulder_bag, view):
        bags.paint_shoulder_bag(canvas, look.shoulder_bag, view)
    if view.front >= 0.0:
        if look.backpack:
            bags.paint_backpack(canvas, look.backpack, view)
        head.paint_long_hair(canvas, look, view)


def _paint_arm(canvas: Canvas, look: Look, texture: np.ndarray, view: View, index: int) -> None:
    """An arm, and in its hand the handbag."""
    if look.handbag and index == (1 if look.handbag.side > 0 else 0):
        bags.paint_handbag(canvas, look.handbag, view)
    clothes.paint_arm(canvas, look, texture, view, index)


def _near(view: View, *joints: int) -> float:
    return float(view.near[list(joints)].mean())
