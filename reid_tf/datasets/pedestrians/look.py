"""The lasting look of an identity: everything that no camera and no step changes."""

import dataclasses
from collections.abc import Mapping

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.pedestrians.palette import Colour


@dataclasses.dataclass(frozen=True)
class Garment:
    """A piece of clothing, as flat parameters; `fabric.py` weaves it.

    Args:
        pattern: str. A key of `fabric.PATTERNS`.
        colours: tuple of RGB. The main colour first.
        repeats: int. How often the pattern repeats from top to bottom.
        cut: float. Where it ends: 0 at the hips, negative above, positive below, in
            body heights; for a leg the share of its length that is covered.
        flare: float. Width at the lower end of a leg or skirt, as a factor on its usual
            width.
        front_print: str, or "". A key of `fabric.PRINTS`, on the chest.
        back_print: str, or "". The same on the back.
        print_size: float. Height of the print, in heights of the garment.
    """

    pattern: str
    colours: tuple[Colour, ...]
    repeats: int
    cut: float
    flare: float = 1.0
    front_print: str = ""
    back_print: str = ""
    print_size: float = 0.4


@dataclasses.dataclass(frozen=True)
class Bag:
    """Something carried.

    Args:
        shape: str. "box", "round" or "wedge".
        colours: tuple of two RGB. The body's, and that of its flap, pocket and straps.
        size: float. Height in body heights.
        side: int. +1 on the person's left, -1 on the right (a backpack ignores it).
    """

    shape: str
    colours: tuple[Colour, Colour]
    size: float
    side: int


@dataclasses.dataclass(frozen=True)
class Body:
    """A build.

    Args:
        head: float. Height of the head in body heights.
        breadth: float. Factor on all widths, 1 = average.
        shoulders: float. Half the distance of the shoulder joints, in body heights.
        hips: float. Half the distance of the hip joints, in body heights.
        legs: float. Height of the hip joints, in body heights.
        stoop: float. Forward lean of the trunk, in radians.
    """

    head: float
    breadth: float
    shoulders: float
    hips: float
    legs: float
    stoop: float


@dataclasses.dataclass(frozen=True)
class Look:
    """Who a person is, to the eye.

    Args:
        answers: mapping of str to str. Class name of every group of
            `MARKET1501_SCHEMA`.
        body: `Body`.
        skin: RGB.
        hair_style: str. "buzz", "short", "curly", "straight", "ponytail" or "braids".
        hair: RGB.
        beard: bool.
        hat_style: str, or "". "cap", "beanie" or "brim".
        hat: tuple of two RGB. Crown, and band or brim.
        upper: `Garment`. Shirt, jacket or the top of a dress.
        sleeve: float. Share of the arm's length that is covered.
        sleeve_colour: RGB, or None. Where sleeves differ from the rest.
        open_front: RGB, or None. What shows under an open jacket.
        lower: `Garment`. Trousers, shorts or skirt.
        belt: RGB, or None.
        socks: RGB, or None.
        shoes: RGB.
        backpack: `Bag`, or None.
        shoulder_bag: `Bag`, or None.
        handbag: `Bag`, or None.
    """

    answers: Mapping[str, str]
    body: Body
    skin: Colour
    hair_style: str
    hair: Colour
    beard: bool
    hat_style: str
    hat: tuple[Colour, Colour]
    upper: Garment
    sleeve: float
    sleeve_colour: Colour | None
    open_front: Colour | None
    lower: Garment
    belt: Colour | None
    socks: Colour | None
    shoes: Colour
    backpack: Bag | None
    shoulder_bag: Bag | None
    handbag: Bag | None

    @property
    def attributes(self) -> tuple[int, ...]:
        """The answers as class indices, in the order of `MARKET1501_SCHEMA`."""
        return tuple(group.classes.index(self.answers[group.name]) for group in MARKET1501_SCHEMA.groups)
