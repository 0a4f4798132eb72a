"""One picture of one person: pose, framing, what is around, and where the landmarks ended up."""

import dataclasses

import cv2
import numpy as np

from reid_tf.datasets.pedestrians import skeleton
from reid_tf.datasets.pedestrians.camera import Camera, expose
from reid_tf.datasets.pedestrians.canvas import Canvas, Part
from reid_tf.datasets.pedestrians.clothes import Cloths
from reid_tf.datasets.pedestrians.figure import paint_figure
from reid_tf.datasets.pedestrians.look import Body, Look
from reid_tf.datasets.pedestrians.scene import cut_backdrop, paint_occluder
from reid_tf.datasets.pedestrians.view import View

FINENESS = 2  # painted larger by this factor, then averaged down, against jagged edges
PASSER_BY, OCCLUDER = 0.15, 0.12  # how often there is one
STRETCH = 1.35  # boxes around people are narrower than pictures, and are widened to fit
HIDDEN_BY_BODY = 0.5  # confidence of a landmark behind the person's own body
HIDDEN_BY_THING = 0.3  # ... and behind something that stands before the person

# The parts on which a joint may be seen. A face point also needs to look at the camera.
_ARMS, _LEGS = (Part.RIGHT_ARM, Part.LEFT_ARM), (Part.RIGHT_LEG, Part.LEFT_LEG)
SEEN_ON: dict[int, tuple[Part, ...]] = {skeleton.NOSE: (Part.HEAD,), skeleton.NECK: (Part.HEAD, Part.TRUNK)}
for _side in (0, 1):
    SEEN_ON[skeleton.EYE[_side]] = SEEN_ON[skeleton.EAR[_side]] = (Part.HEAD,)
    SEEN_ON[skeleton.SHOULDER[_side]] = (Part.TRUNK, _ARMS[_side], Part.HEAD)
    SEEN_ON[skeleton.ELBOW[_side]] = SEEN_ON[skeleton.WRIST[_side]] = (_ARMS[_side],)
    SEEN_ON[skeleton.HIP[_side]] = (Part.TRUNK, Part.SKIRT, _LEGS[_side])
    SEEN_ON[skeleton.KNEE[_side]] = SEEN_ON[skeleton.ANKLE[_side]] = (_LEGS[_side], Part.SKIRT)


@dataclasses.dataclass(frozen=True)
class Person:
    """A look with its textures woven, ready to be painted many times."""

    look: Look
    cloths: Cloths

    @classmethod
    def of(cls, look: Look) -> "Person":
        """Weaves what a `Look` wears."""
        return cls(look, Cloths.of(look))


@dataclasses.dataclass(frozen=True)
class Picture:
    """A finished picture.

    Args:
        pixels: uint8 [H, W, 3], RGB.
        landmarks: float32 [18, 3]. x and y in [0, 1] of the picture and a confidence: 1
            visible, `HIDDEN_BY_BODY`, `HIDDEN_BY_THING`; outside the picture all three
            are 0. Order as in `Record.landmarks`.
        parts: uint8 [H, W]. The `Part` that each pixel shows.
    """

    pixels: np.ndarray
    landmarks: np.ndarray
    parts: np.ndarray


def draw_picture(
    person: Person, camera: Camera, yaw: float, height: int, width: int, rng: np.random.Generator, passer_by: Person
) -> Picture:
    """Draws a person in front of a camera.

    Args:
        person: `Person`. Who.
        camera: `Camera`. Which camera.
        yaw: float, radians. Viewpoint, as in `skeleton.project`.
        height: int. Rows of the picture.
        width: int. Columns of the picture.
        rng: random generator, for the step, the framing and what is around.
        passer_by: `Person`. Who may walk by at the edge of the picture.

    Returns:
        `Picture`.
    """
    canvas = _canvas(camera, height, width, rng)
    rows, columns = canvas.size
    if rng.random() < PASSER_BY:
        _pass_by(canvas, passer_by, camera, rng)
    view = _stand(person.look.body, yaw, rows, columns, camera.light, 0.0, rng)
    paint_figure(canvas, person.look, person.cloths, view)
    if rng.random() < OCCLUDER:
        paint_occluder(canvas, rng)
    pixels = cv2.resize(canvas.pixels, (width, height), interpolation=cv2.INTER_AREA)
    return Picture(
        pixels=expose(camera, pixels, rng),
        landmarks=_landmarks(canvas.labels, view),
        parts=cv2.resize(canvas.labels, (width, height), interpolation=cv2.INTER_NEAREST),
    )


def draw_junk(person: Person, camera: Camera, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Draws what a detector should not have cut out: mostly backdrop, with somebody at the edge.

    Args:
        person: `Person`. Who is at the edge.
        camera: `Camera`.
        height: int. Rows of the picture.
        width: int. Columns of the picture.
        rng: random generator.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    canvas = _canvas(camera, height, width, rng)
    _pass_by(canvas, person, camera, rng)
    return expose(camera, cv2.resize(canvas.pixels, (width, height), interpolation=cv2.INTER_AREA), rng)


def _canvas(camera: Camera, height: int, width: int, rng: np.random.Generator) -> Canvas:
    """A piece of the camera's backdrop, larger than the picture and of a box's proportions."""
    return Canvas(cut_backdrop(camera.backdrop, height * FINENESS, round(width * FINENESS / STRETCH), rng))


def _pass_by(canvas: Canvas, person: Person, camera: Camera, rng: np.random.Generator) -> None:
    """Paints somebody at the edge, as a part of the backdrop."""
    rows, columns = canvas.size
    edge = rng.uniform(0.75, 1.1) * rng.choice((-1, 1))
    view = _stand(person.look.body, rng.uniform(0, 2 * np.pi), rows, columns, camera.light, edge, rng)
    paint_figure(canvas, person.look, person.cloths, view)
    canvas.labels[:] = Part.BACKGROUND


def _stand(
    body: Body, yaw: float, rows: int, columns: int, light: float, edge: float, rng: np.random.Generator
) -> View:
    """Poses a body and frames it as a detector would: about filling the picture, `edge` half widths off its middle."""
    posed = skeleton.walking(body, rng.uniform(0, 2 * np.pi), rng.uniform(0.08, 0.5))
    screen = skeleton.project(posed, yaw)
    ears, ankles = screen[list(skeleton.EAR), 1], screen[list(skeleton.ANKLE), 1]
    top, bottom = ears.min() - 0.62 * body.head, ankles.max() + 0.035
    share = rng.uniform(1.0, 1.25) if rng.random() < 0.12 else rng.uniform(0.88, 1.0)
    scale = share * rows / (bottom - top)
    spare = rows * (1.0 - share)
    middle = columns * (0.5 + 0.5 * edge + rng.normal(0.0, 0.05))
    start = spare * (rng.uniform(0.0, 0.4) if share > 1.0 else rng.uniform(0.2, 0.8))
    shift = np.array([middle - scale * screen[list(skeleton.HIP), 0].mean(), start - scale * top])
    return View(body, screen[:, :2] * scale + shift, screen[:, 2], yaw, scale, light)


def _landmarks(labels: np.ndarray, view: View) -> np.ndarray:
    rows, columns = labels.shape[:2]
    towards = skeleton.facing(view.yaw)
    landmarks = np.zeros((skeleton.JOINTS, 3), np.float32)
    for joint, (x, y) in enumerate(view.joints):
        if not (0 <= x < columns and 0 <= y < rows):
            continue
        part = labels[int(y), int(x)]
        visible = part in SEEN_ON[joint] and towards[joint] > -0.5
        confidence = HIDDEN_BY_THING if part == Part.OCCLUDER else 1.0 if visible else HIDDEN_BY_BODY
        landmarks[joint] = x / columns, y / rows, confidence
    return landmarks
