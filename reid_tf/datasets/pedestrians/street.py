"""Drawn pedestrians who walk past several cameras: what each camera films, and who is where in every frame."""

import dataclasses

import cv2
import numpy as np

from reid_tf.datasets.pedestrians import skeleton
from reid_tf.datasets.pedestrians.camera import Camera, draw_camera, expose
from reid_tf.datasets.pedestrians.canvas import Canvas
from reid_tf.datasets.pedestrians.figure import paint_figure
from reid_tf.datasets.pedestrians.picture import FINENESS, Person
from reid_tf.datasets.pedestrians.scene import ROWS
from reid_tf.datasets.pedestrians.view import View
from reid_tf.datasets.pedestrians.wardrobe import draw_look, draw_outfit

TALL = (0.34, 0.62)  # of the picture's height, from the far side of the street to the near one
SPEED = (0.17, 0.28)  # widths of the picture a second, on the near side
STEPS = 1.5  # a second
BETWEEN = (1.0, 4.0)  # seconds from leaving one camera to entering the next
TURNS = 0.25  # how many turn round in the middle and leave as they came
MARGIN = 0.1  # how far outside the picture, in widths, somebody begins and ends
LEAST_SEEN = 0.3  # share of somebody who must be seen for a detector to find them
GAP = 1.0  # seconds unseen after which a tracker gives a new number
JITTER = 0.02  # of a detector's boxes, in shares of their sides


@dataclasses.dataclass(frozen=True)
class Street:
    """What determines the drawing, in full.

    Args:
        people: int >= 2. Who walk by; each passes two to four times, at a camera other
            than the last.
        cameras: int >= 2.
        seconds: float. Of each camera's footage.
        rate: int. Frames a second.
        size: tuple of 2 int. Height and width of a frame.
        seed: int >= 0.
    """

    people: int = 12
    cameras: int = 3
    seconds: float = 30.0
    rate: int = 10
    size: tuple[int, int] = (360, 640)
    seed: int = 0

    @property
    def frames(self) -> int:
        """How many each camera films."""
        return round(self.seconds * self.rate)

    def rng(self, *numbers: int) -> np.random.Generator:
        """Returns the generator of one thing, the same whatever is drawn before it."""
        return np.random.default_rng((self.seed, 7, *numbers))


@dataclasses.dataclass(frozen=True)
class Passage:
    """Somebody's way through one camera's picture.

    Args:
        person: int. Who.
        camera: int. Counted from 0.
        start: float. Seconds from the beginning.
        duration: float. Seconds.
        is_rightwards: bool.
        depth: float. 0 the far side, 1 the near one.
        turns: bool. Whether they turn round in the middle.
    """

    person: int
    camera: int
    start: float
    duration: float
    is_rightwards: bool
    depth: float
    turns: bool

    def at(self, second: float) -> tuple[float, float] | None:
        """Returns where they are, in widths of the picture, and their direction (1 rightwards); None if elsewhere."""
        share = (second - self.start) / self.duration
        if not 0 <= share <= 1:
            return None
        direction = 1.0 if self.is_rightwards else -1.0
        if self.turns:
            direction, share = (direction, share) if share < 0.5 else (-direction, 1 - share)
        across = -MARGIN + share * (1 + 2 * MARGIN)
        return (across if self.is_rightwards else 1 - across), direction


@dataclasses.dataclass(frozen=True)
class Seen:
    """One person in one frame.

    Args:
        person: int.
        passage: int. Which of all passages.
        box: tuple of 4 float. Left, top, right, bottom in pixels, of the whole body, also
            where it is hidden or outside the frame.
        visibility: float in [0, 1]. The share of the body that is seen.
    """

    person: int
    passage: int
    box: tuple[float, float, float, float]
    visibility: float


def passages(street: Street) -> tuple[Passage, ...]:
    """Writes the script: who passes which camera when, in the order of people and then of time."""
    script = []
    for person in range(street.people):
        rng = street.rng(0, person)
        second, camera = rng.uniform(0, 0.4 * street.seconds), int(rng.integers(street.cameras))
        for _ in range(int(rng.integers(2, 5))):
            depth = rng.uniform()
            speed = rng.uniform(*SPEED) * (0.7 + 0.3 * depth)
            passage = Passage(
                person, camera, second, (1 + 2 * MARGIN) / speed, bool(rng.random() < 0.5), depth, rng.random() < TURNS
            )
            script.append(passage)
            second += passage.duration + rng.uniform(*BETWEEN)
            camera = (camera + int(rng.integers(1, street.cameras))) % street.cameras
    return tuple(script)


class Filming:
    """One camera of the street.

    Args:
        street: `Street`.
        camera: int. Counted from 0.
    """

    def __init__(self, street: Street, camera: int) -> None:
        self.street, self.number = street, camera
        rng = street.rng(1, camera)
        self.camera: Camera = dataclasses.replace(draw_camera(rng), noise=2.0)
        self.angle = float(rng.uniform(-0.5, 0.5))  # the street does not run quite across the picture
        self.script = [(index, one) for index, one in enumerate(passages(street)) if one.camera == camera]
        who = sorted({one.person for _, one in self.script})
        # Two in a row share an outfit: equal in the colours of their clothes, different in pattern, cut and bags.
        looks = {person: draw_look(draw_outfit(street.rng(5, person // 2)), street.rng(2, person)) for person in who}
        self.people = {person: Person.of(look) for person, look in looks.items()}
        height, width = (side * FINENESS for side in street.size)
        columns = min(self.camera.backdrop.shape[1], round(ROWS * width / height))
        left = int(rng.integers(self.camera.backdrop.shape[1] - columns + 1))
        place = self.camera.backdrop[:, left : left + columns]
        self.backdrop = cv2.resize(place, (width, height), interpolation=cv2.INTER_LINEAR)

    def frame(self, number: int) -> tuple[np.ndarray, list[Seen]]:
        """Draws a frame.

        Args:
            number: int. Counted from 0.

        Returns:
            uint8 [height, width, 3], RGB, and whoever is in it, the farthest first.
        """
        second = number / self.street.rate
        there = [(index, one, place) for index, one in self.script if (place := one.at(second)) is not None]
        there.sort(key=lambda item: (item[1].depth, item[0]))
        canvas = Canvas(self.backdrop.copy())
        owner = np.full(canvas.size, -1, np.int16)
        painted, boxes = [], []
        for order, (_, one, (across, direction)) in enumerate(there):
            person = self.people[one.person]
            view = self._view(person, one, across, direction, second)
            canvas.labels[:] = 0
            paint_figure(canvas, person.look, person.cloths, view)
            owner[canvas.labels > 0] = order
            painted.append(int((canvas.labels > 0).sum()))
            boxes.append(_box(view))
        left = np.bincount(owner[owner >= 0], minlength=len(there))
        height, width = self.street.size
        pixels = cv2.resize(canvas.pixels, (width, height), interpolation=cv2.INTER_AREA)
        # The same unrest and noise in every frame: a camera's picture does not flicker.
        pixels = expose(self.camera, pixels, self.street.rng(3, self.number))
        seen = [
            Seen(one.person, index, box, _visibility(box, count, whole, self.street.size))
            for (index, one, _), box, count, whole in zip(there, boxes, left.tolist(), painted, strict=True)
        ]
        return pixels, [one for one in seen if one.visibility > 0]

    def _view(self, person: Person, passage: Passage, across: float, direction: float, second: float) -> View:
        rows, columns = (side * FINENESS for side in self.street.size)
        body = person.look.body
        phase = 2 * np.pi * STEPS * (second - passage.start) / 2
        yaw = direction * np.pi / 2 + self.angle
        posed = skeleton.walking(body, phase, 0.38)
        screen = skeleton.project(posed, yaw)
        scale = rows * (TALL[0] + (TALL[1] - TALL[0]) * passage.depth)
        feet = rows * (0.62 + 0.36 * passage.depth)
        bottom = screen[list(skeleton.ANKLE), 1].max() + 0.035
        shift = np.array([across * columns - scale * screen[list(skeleton.HIP), 0].mean(), feet - scale * bottom])
        return View(body, screen[:, :2] * scale + shift, screen[:, 2], yaw, scale, self.camera.light)


def _box(view: View) -> tuple[float, float, float, float]:
    """The box of a whole body in pixels of the frame."""
    x, y = view.joints[:, 0], view.joints[:, 1]
    around = 0.06 * view.scale
    top = y[list(skeleton.EAR)].min() - 0.62 * view.body.head * view.scale
    bottom = y[list(skeleton.ANKLE)].max() + 0.035 * view.scale
    left, right = x.min() - around, x.max() + around
    return tuple(float(edge) / FINENESS for edge in (left, top, right, bottom))  # type: ignore[return-value]


def _visibility(box: tuple[float, float, float, float], count: int, painted: int, size: tuple[int, int]) -> float:
    """The share of a body that is neither hidden nor outside the frame."""
    left, top, right, bottom = box
    height, width = size
    inside = max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(bottom, height) - max(top, 0.0))
    share = inside / ((right - left) * (bottom - top))
    return share * count / painted if painted else 0.0
