"""What a camera sees besides people: a wide backdrop of ground, walls and clutter, and things that stand in the way."""

import cv2
import numpy as np

from reid_tf.datasets.pedestrians.canvas import Canvas, Part, box, ellipse
from reid_tf.datasets.pedestrians.chance import pick
from reid_tf.datasets.pedestrians.palette import CLOTHES, Colour, bounded, shade

ROWS, COLUMNS = 144, 640  # of a backdrop; a picture shows about a tenth of it
GROUND: tuple[Colour, ...] = ((152, 148, 142), (116, 116, 118), (172, 166, 154), (112, 120, 100), (130, 118, 108))
WALL: tuple[Colour, ...] = ((180, 176, 168), (138, 118, 108), (112, 118, 124), (196, 192, 180), (96, 104, 98))
THINGS = (*CLOTHES.values(), *WALL, *GROUND)  # what stands about is often as bright as clothes are


def draw_backdrop(rng: np.random.Generator) -> np.ndarray:
    """Draws the place that a camera watches.

    Places are made of the same materials, in another order: a backdrop must not give
    its camera away by colour alone.

    Args:
        rng: random generator.

    Returns:
        uint8 [ROWS, COLUMNS, 3], RGB.
    """
    canvas = Canvas(np.empty((ROWS, COLUMNS, 3), np.uint8))
    horizon = int(rng.uniform(0.35, 0.7) * ROWS)
    _paint_sections(canvas.pixels[:horizon], WALL, rng)
    _paint_sections(canvas.pixels[horizon:], GROUND, rng)
    for _ in range(int(rng.integers(8, 16))):
        _paint_clutter(canvas, horizon, rng)
    _paint_paving(canvas, horizon, rng)
    grain = rng.normal(0.0, 1.0, (ROWS // 4, COLUMNS // 4)).astype(np.float32)
    grain = cv2.resize(grain, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC) * rng.uniform(3, 7)
    return np.clip(canvas.pixels + grain[..., None], 0, 255).astype(np.uint8)


def _paint_sections(rows: np.ndarray, colours: tuple[Colour, ...], rng: np.random.Generator) -> None:
    """Fills rows [h, COLUMNS, 3] from left to right with stretches of different materials."""
    left = 0
    while left < COLUMNS:
        right = left + int(rng.uniform(30, 110))
        rows[:, left:right] = shade(pick(rng, colours), rng, 12)
        left = right


def _paint_clutter(canvas: Canvas, horizon: int, rng: np.random.Generator) -> None:
    """A door, a window, a shrub, a poster or a parked thing."""
    colour = shade(pick(rng, THINGS), rng, 15)
    left, wide = rng.uniform(-20, COLUMNS), rng.uniform(12, 60)
    kind = rng.integers(3)
    if kind == 0:  # on the wall
        top = rng.uniform(0, 0.8 * horizon)
        outline = box(left, top, left + wide, top + rng.uniform(10, 60))
    elif kind == 1:  # on the ground before the wall
        bottom = horizon + rng.uniform(0, 30)
        outline = box(left, bottom - rng.uniform(15, 60), left + wide, bottom)
    else:
        outline = ellipse(np.array([left, horizon + rng.uniform(-25, 15)]), 0.6 * wide, rng.uniform(10, 35))
    canvas.fill(outline, colour, Part.BACKGROUND)


def _paint_paving(canvas: Canvas, horizon: int, rng: np.random.Generator) -> None:
    """Joints between slabs, or the painted lines of a street."""
    colour = bounded(canvas.pixels[-1, 0].astype(float) + rng.choice((-25, 25)))
    row = float(horizon)
    while row < ROWS:
        canvas.fill(box(0, row, COLUMNS, row + 1.5), colour, Part.BACKGROUND)
        row += rng.uniform(8, 24)


def cut_backdrop(backdrop: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Cuts a random piece out of a backdrop.

    Args:
        backdrop: uint8 [ROWS, COLUMNS, 3].
        height: int. Rows of the piece.
        width: int. Columns of the piece.
        rng: random generator.

    Returns:
        uint8 [height, width, 3].
    """
    rows = rng.uniform(0.7, 1.0) * ROWS
    columns = min(rows * width / height, COLUMNS - 1.0)
    top, left = rng.uniform(0, ROWS - rows), rng.uniform(0, COLUMNS - columns)
    matrix = np.array([[columns / width, 0, left], [0, rows / height, top]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(backdrop, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def paint_occluder(canvas: Canvas, rng: np.random.Generator) -> None:
    """Puts a thing before the person, hiding at most a third: a post, a low wall or hedge, or a board at the side."""
    height, width = canvas.size
    colour = shade(pick(rng, THINGS), rng, 15)
    kind = rng.integers(3)
    if kind == 0:
        left = rng.uniform(0.1, 0.8) * width
        outline = box(left, 0, left + rng.uniform(0.06, 0.14) * width, height)
    elif kind == 1:
        outline = box(0, rng.uniform(0.68, 0.88) * height, width, height)
    else:
        edge = rng.uniform(0.16, 0.36) * width
        top = rng.uniform(0.0, 0.5) * height
        outline = box(0, top, edge, height) if rng.random() < 0.5 else box(width - edge, top, width, height)
    canvas.fill(outline, colour, Part.OCCLUDER)
