"""Colours, RGB 0..255, under the names that Market-1501's attributes give them."""

import numpy as np

Colour = tuple[int, int, int]

CLOTHES: dict[str, Colour] = {
    "black": (38, 38, 42),
    "white": (225, 224, 220),
    "red": (178, 42, 48),
    "pink": (222, 140, 165),
    "purple": (118, 66, 140),
    "yellow": (216, 184, 62),
    "gray": (128, 128, 130),
    "blue": (48, 82, 158),
    "green": (54, 124, 70),
    "brown": (112, 76, 48),
}

# How often a colour is worn: as in the street, dark and neutral ones lead, so that many people share them.
UPPER_SHARES = {
    "black": 0.2,
    "white": 0.18,
    "red": 0.11,
    "purple": 0.06,
    "yellow": 0.08,
    "gray": 0.14,
    "blue": 0.1,
    "green": 0.08,
    "multi-colour": 0.05,
}
LOWER_SHARES = {
    "black": 0.3,
    "white": 0.08,
    "pink": 0.04,
    "purple": 0.03,
    "yellow": 0.03,
    "gray": 0.18,
    "blue": 0.2,
    "green": 0.05,
    "brown": 0.06,
    "multi-colour": 0.03,
}

SKIN: tuple[Colour, ...] = ((236, 200, 172), (222, 178, 144), (196, 146, 110), (152, 104, 74), (104, 70, 50))
HAIR: tuple[Colour, ...] = ((28, 24, 24), (62, 42, 30), (104, 68, 40), (170, 126, 70), (136, 60, 36))
GREY_HAIR: tuple[Colour, ...] = ((168, 168, 170), (206, 206, 206))
LEATHER: tuple[Colour, ...] = ((36, 34, 36), (110, 74, 46), (168, 128, 84), (96, 30, 36), (60, 66, 84), (196, 190, 180))


def shade(colour: Colour, rng: np.random.Generator, spread: float = 18.0) -> Colour:
    """Returns a colour close to another.

    Args:
        colour: RGB 0..255.
        rng: random generator.
        spread: float. Standard deviation of each channel.
    """
    return bounded(np.asarray(colour) + rng.normal(0.0, spread, 3))


def bounded(values: np.ndarray) -> Colour:
    """Returns three numbers as a colour, rounded and clipped to 0..255."""
    red, green, blue = (int(value) for value in np.clip(np.rint(values), 0, 255))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Returns the luma of an RGB colour, 0..255 (Rec. 601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
