import collections
import dataclasses

import numpy as np
import pytest

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.pedestrians import palette
from reid_tf.datasets.pedestrians.clothes import Cloths
from reid_tf.datasets.pedestrians.fabric import ROWS
from reid_tf.datasets.pedestrians.wardrobe import draw_look, draw_outfit


@pytest.fixture(scope="module")
def outfits():
    rng = np.random.default_rng(0)
    return [draw_outfit(rng) for _ in range(1500)]


def test_every_class_of_every_group_is_worn(outfits):
    worn = collections.Counter((group, answer) for outfit in outfits for group, answer in outfit.answers.items())
    expected = {(group.name, answer) for group in MARKET1501_SCHEMA.groups for answer in group.classes}
    assert set(worn) == expected
    assert min(worn.values()) >= 10


def test_answers_go_together(outfits):
    dresses = [outfit.answers for outfit in outfits if outfit.answers["lower_type"] == "dress"]
    assert {answers["gender"] for answers in dresses} == {"female"}
    for outfit in outfits:
        colours = 3 if outfit.answers["upper_colour"] == "multi-colour" else 2
        assert len(set(outfit.upper)) == colours


def test_a_named_colour_is_the_nearest_of_the_palette_most_of_the_time(outfits):
    right = total = 0
    for outfit in outfits:
        name = outfit.answers["upper_colour"]
        if name != "multi-colour":
            distance = {
                other: np.subtract(outfit.upper[0], rgb) @ np.subtract(outfit.upper[0], rgb)
                for other, rgb in palette.CLOTHES.items()
                if other in palette.UPPER_SHARES
            }
            right += min(distance, key=distance.__getitem__) == name
            total += 1
    assert right / total > 0.95


def test_twins_answer_alike_and_look_different(outfits):
    rng = np.random.default_rng(1)
    alike = 0
    for outfit in outfits[:100]:
        first, second = draw_look(outfit, rng), draw_look(outfit, rng)
        assert first.attributes == second.attributes
        assert first.upper.colours == second.upper.colours
        woven = Cloths.of(first), Cloths.of(second)
        alike += np.array_equal(woven[0].trunk, woven[1].trunk) and np.array_equal(woven[0].leg, woven[1].leg)
    assert alike <= 2


def test_attributes_are_indices_in_the_order_of_the_schema(outfits):
    look = draw_look(outfits[0], np.random.default_rng(0))
    for group, index in zip(MARKET1501_SCHEMA.groups, look.attributes, strict=True):
        assert group.classes[index] == look.answers[group.name]


def test_bags_and_hats_are_carried_by_those_who_answer_so(outfits):
    rng = np.random.default_rng(2)
    for outfit in outfits[:300]:
        look = draw_look(outfit, rng)
        carried = {"backpack": look.backpack, "bag": look.shoulder_bag, "handbag": look.handbag, "hat": look.hat_style}
        for group, thing in carried.items():
            assert bool(thing) == (outfit.answers[group] == "yes")


@pytest.mark.parametrize(("sleeves", "bare"), [("short", True), ("long", False)])
def test_short_sleeves_show_the_forearm(outfits, sleeves, bare):
    rng = np.random.default_rng(3)
    outfit = dataclasses.replace(outfits[0], answers={**outfits[0].answers, "sleeves": sleeves}, skin=(1, 2, 3))
    for _ in range(20):
        arm = Cloths.of(draw_look(outfit, rng)).arm
        assert (arm[round(0.7 * ROWS)] == (1, 2, 3)).all() == bare


@pytest.mark.parametrize(("length", "kind", "bare"), [("short", "trousers", True), ("long", "trousers", False)])
def test_short_trousers_show_the_knee(outfits, length, kind, bare):
    rng = np.random.default_rng(4)
    answers = {**outfits[0].answers, "lower_length": length, "lower_type": kind}
    outfit = dataclasses.replace(outfits[0], answers=answers, skin=(1, 2, 3))
    for _ in range(20):
        cloths = Cloths.of(draw_look(outfit, rng))
        assert (cloths.leg[round(0.6 * ROWS)] == (1, 2, 3)).all() == bare
        assert cloths.skirt is None
