"""Draws people: first an outfit (the attributes and their colours), then the looks of all who wear it.

Several identities share an outfit. They answer every attribute alike, and their clothes
have the same colours; they differ in pattern, print, cut, build, hair style, shoes and
what their bags look like.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from reid_tf.datasets.pedestrians import palette
from reid_tf.datasets.pedestrians.chance import pick, weighted
from reid_tf.datasets.pedestrians.fabric import PATTERNS, PRINTS
from reid_tf.datasets.pedestrians.look import Bag, Body, Garment, Look
from reid_tf.datasets.pedestrians.palette import Colour

HEAD = {"young": 0.185, "teenager": 0.155, "adult": 0.138, "old": 0.14}
LEGS = {"young": 0.45, "teenager": 0.51, "adult": 0.515, "old": 0.5}
BREADTH = {"young": 1.05, "teenager": 0.92, "adult": 1.02, "old": 1.08}
SLEEVE_SHARE = {"long": (0.9, 1.0), "short": (0.3, 0.5)}
TROUSER_SHARE = {"long": (0.86, 0.97), "short": (0.34, 0.5)}
SKIRT_SHARE = {"long": (0.72, 0.9), "short": (0.34, 0.5)}
UPPER_PATTERNS = tuple(PATTERNS)
LOWER_PATTERNS = (
    "plain",
    "plain",
    "plain",
    "sides",
    "sides",
    "hem",
    "grid",
    "pinstripes",
    "stripes",
    "blotches",
    "band",
)
SKIRT_PATTERNS = ("plain", "hem", "stripes", "pinstripes", "dots", "checks", "zigzag", "diagonals", "band")
MIXED_PATTERNS = ("stripes", "checks", "diagonals", "zigzag", "blotches", "diamonds")


@dataclasses.dataclass(frozen=True)
class Outfit:
    """What identities may have in common.

    Args:
        answers: mapping of str to str. Class name of every group of
            `MARKET1501_SCHEMA`.
        skin: RGB.
        hair: RGB.
        upper: tuple of RGB. Colours of the upper clothes, the main one first.
        lower: tuple of RGB. Colours of the lower clothes.
        shoes: RGB.
        bag: tuple of two RGB. Colours of whatever is carried.
    """

    answers: Mapping[str, str]
    skin: Colour
    hair: Colour
    upper: tuple[Colour, ...]
    lower: tuple[Colour, ...]
    shoes: Colour
    bag: tuple[Colour, Colour]


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """Draws attributes as they occur together in the street, and colours to match."""
    answers = _answers(rng)
    old = answers["age"] == "old"
    return Outfit(
        answers=answers,
        skin=palette.shade(pick(rng, palette.SKIN), rng, 5),
        hair=palette.shade(pick(rng, palette.GREY_HAIR if old else palette.HAIR), rng, 5),
        upper=_clothes_colours(answers["upper_colour"], palette.UPPER_SHARES, rng),
        lower=_clothes_colours(answers["lower_colour"], palette.LOWER_SHARES, rng),
        shoes=pick(rng, tuple(palette.CLOTHES.values())),
        bag=(pick(rng, palette.LEATHER), pick(rng, palette.LEATHER)),
    )


def draw_look(outfit: Outfit, rng: np.random.Generator) -> Look:
    """Draws one person who wears an outfit."""
    answers = outfit.answers
    hat = pick(rng, tuple(palette.CLOTHES.values()))
    plain_arms = rng.random() < 0.7
    return Look(
        answers=answers,
        body=_body(answers, rng),
        skin=outfit.skin,
        hair_style=pick(
            rng, ("straight", "ponytail", "braids") if answers["hair"] == "long" else ("buzz", "short", "curly")
        ),
        hair=outfit.hair,
        beard=answers["gender"] == "male" and answers["age"] in ("adult", "old") and rng.random() < 0.35,
        hat_style=pick(rng, ("cap", "beanie", "brim")) if answers["hat"] == "yes" else "",
        hat=(hat, _contrast(hat, rng)),
        upper=_upper(outfit, rng),
        sleeve=rng.uniform(*SLEEVE_SHARE[answers["sleeves"]]),
        sleeve_colour=None if plain_arms else pick(rng, outfit.upper),
        open_front=pick(rng, tuple(palette.CLOTHES.values())) if rng.random() < 0.15 else None,
        lower=_lower(outfit, rng),
        belt=pick(rng, palette.LEATHER) if rng.random() < 0.25 else None,
        socks=pick(rng, tuple(palette.CLOTHES.values())) if rng.random() < 0.5 else None,
        shoes=outfit.shoes if rng.random() < 0.4 else pick(rng, tuple(palette.CLOTHES.values())),
        backpack=_bag(outfit, "backpack", (0.19, 0.27), rng),
        shoulder_bag=_bag(outfit, "bag", (0.1, 0.17), rng),
        handbag=_bag(outfit, "handbag", (0.08, 0.14), rng),
    )


def _answers(rng: np.random.Generator) -> dict[str, str]:
    age = weighted(rng, {"young": 0.08, "teenager": 0.35, "adult": 0.44, "old": 0.13})
    female = rng.random() < 0.45
    dress = female and rng.random() < 0.4
    backpack = rng.random() < (0.1 if age == "old" else 0.3)
    bag = rng.random() < (0.06 if backpack else 0.3)
    return {
        "gender": "female" if female else "male",
        "hair": "long" if rng.random() < (0.75 if female else 0.04) else "short",
        "sleeves": "short" if rng.random() < 0.6 else "long",
        "lower_length": "short" if rng.random() < (0.7 if dress else 0.35) else "long",
        "lower_type": "dress" if dress else "trousers",
        "hat": "yes" if rng.random() < 0.12 else "no",
        "backpack": "yes" if backpack else "no",
        "bag": "yes" if bag else "no",
        "handbag": "yes" if rng.random() < (0.25 if female else 0.1) else "no",
        "age": age,
        "upper_colour": weighted(rng, palette.UPPER_SHARES),
        "lower_colour": weighted(rng, palette.LOWER_SHARES),
    }


def _clothes_colours(name: str, shares: Mapping[str, float], rng: np.random.Generator) -> tuple[Colour, ...]:
    """The named colour and one to set it off; three bright ones where no single colour leads."""
    if name == "multi-colour":
        bright = [colour for colour in shares if colour not in ("multi-colour", "black", "gray")]
        return tuple(palette.CLOTHES[bright[index]] for index in rng.permutation(len(bright))[:3])
    main = palette.shade(palette.CLOTHES[name], rng)
    return main, _contrast(main, rng)


def _contrast(colour: Colour, rng: np.random.Generator) -> Colour:
    """A colour of the palette that is clearly lighter or darker."""
    far = [
        other for other in palette.CLOTHES.values() if abs(palette.luminance(other) - palette.luminance(colour)) > 60
    ]
    return far[rng.integers(len(far))]


def _body(answers: Mapping[str, str], rng: np.random.Generator) -> Body:
    age, female = answers["age"], answers["gender"] == "female"
    return Body(
        head=HEAD[age] * rng.uniform(0.96, 1.04),
        breadth=BREADTH[age] * rng.uniform(0.85, 1.15),
        shoulders=(0.098 if female else 0.114) * rng.uniform(0.94, 1.06),
        hips=(0.058 if female else 0.052) * rng.uniform(0.94, 1.06),
        legs=LEGS[age] * rng.uniform(0.96, 1.04),
        stoop=rng.uniform(0.14, 0.24) if age == "old" else rng.uniform(-0.02, 0.05),
    )


def _upper(outfit: Outfit, rng: np.random.Generator) -> Garment:
    mixed = outfit.answers["upper_colour"] == "multi-colour"
    pattern = pick(rng, MIXED_PATTERNS if mixed else UPPER_PATTERNS)
    printed = not mixed and rng.random() < (0.9 if pattern == "plain" else 0.25)
    name = pick(rng, tuple(PRINTS))
    return Garment(
        pattern=pattern,
        colours=outfit.upper,
        repeats=int(rng.integers(3, 8)),
        cut=pick(rng, (-0.03, 0.0, 0.02, 0.05, 0.12)),
        front_print=name if printed else "",
        back_print=name if printed and rng.random() < 0.7 else "",
        print_size=rng.uniform(0.3, 0.55),
    )


def _lower(outfit: Outfit, rng: np.random.Generator) -> Garment:
    answers = outfit.answers
    dress, mixed = answers["lower_type"] == "dress", answers["lower_colour"] == "multi-colour"
    shares = SKIRT_SHARE if dress else TROUSER_SHARE
    patterns = MIXED_PATTERNS if mixed else SKIRT_PATTERNS if dress else LOWER_PATTERNS
    return Garment(
        pattern=pick(rng, patterns),
        colours=outfit.lower,
        repeats=int(rng.integers(3, 8)),
        cut=rng.uniform(*shares[answers["lower_length"]]),
        flare=rng.uniform(0.75, 1.5),
    )


def _bag(outfit: Outfit, group: str, sizes: tuple[float, float], rng: np.random.Generator) -> Bag | None:
    if outfit.answers[group] == "no":
        return None
    return Bag(
        shape=pick(rng, ("box", "round", "wedge")),
        colours=outfit.bag if rng.random() < 0.5 else (pick(rng, palette.LEATHER), pick(rng, palette.LEATHER)),
        size=rng.uniform(*sizes),
        side=int(rng.choice((-1, 1))),
    )
