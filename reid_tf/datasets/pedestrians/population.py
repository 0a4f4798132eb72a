"""Who is in the data set, who saw them, and under which file names: everything but the pixels."""

import dataclasses
from enum import IntEnum

import numpy as np

from reid_tf.datasets.market1501 import DISTRACTOR
from reid_tf.datasets.pedestrians.look import Look
from reid_tf.datasets.pedestrians.wardrobe import draw_look, draw_outfit
from reid_tf.datasets.readers.folders import SPLIT_FOLDERS
from reid_tf.datasets.record import JUNK

TRAIN, QUERY, GALLERY = (SPLIT_FOLDERS[split] for split in ("train", "query", "gallery"))
QUERY_CAMERAS = 2
DISTRACTOR_SHARE, JUNK_SHARE = 0.2, 0.05  # images of each, as a share of the test identities' images
VIEWPOINTS = (0.0, np.pi / 2, np.pi, -np.pi / 2)
VIEWPOINT_SPREAD = 0.3  # radians


class Stream(IntEnum):
    """Keeps the random numbers of different things apart."""

    CAMERA = 0
    OUTFIT = 1
    LOOK = 2
    JOURNEY = 3
    PICTURE = 4
    STRANGER = 5
    PASSER_BY = 6


@dataclasses.dataclass(frozen=True)
class Parameters:
    """What determines the data set, in full; the arguments of `synthetic()`."""

    identities: int
    images_per_identity: int
    cameras: int
    twins: int
    image_size: tuple[int, int]
    seed: int

    @property
    def train_identities(self) -> int:
        """All but a third; at least two are left for testing, as a single one cannot be confused with another."""
        return self.identities - max(2, self.identities // 3)

    def rng(self, stream: Stream, *numbers: int) -> np.random.Generator:
        """Returns the generator of one thing, the same whatever is drawn before it."""
        return np.random.default_rng((self.seed, int(stream), *numbers))


@dataclasses.dataclass(frozen=True)
class Shot:
    """One picture to take.

    Args:
        path: str. Where it goes, relative to the data set's folder, with `/`.
        camera: int. 1, 2, ...
        yaw: float, radians. Viewpoint, as in `skeleton.project`.
        number: int. Distinguishes the pictures of the data set.
    """

    path: str
    camera: int
    yaw: float
    number: int


@dataclasses.dataclass(frozen=True)
class Subject:
    """A person and the pictures to take of them.

    Args:
        identity: int. 0 for a distractor, -1 for junk.
        look: `Look`.
        shots: tuple of `Shot`.
    """

    identity: int
    look: Look
    shots: tuple[Shot, ...]


def draw_population(parameters: Parameters) -> tuple[Subject, ...]:
    """Draws everybody.

    Identities 1, 2, ... are for training, the last third for testing. In each part,
    `twins` identities in a row share an outfit. Every identity is seen by several
    cameras and, as far as its pictures go, from every side. Of a test identity, the
    first picture under each of `QUERY_CAMERAS` cameras is a query.

    Args:
        parameters: `Parameters`.

    Returns:
        tuple of `Subject`: identities in ascending order, then distractors, then junk.
    """
    trained = parameters.train_identities
    subjects = []
    for identity in range(1, parameters.identities + 1):
        is_test = identity > trained
        place = identity - 1 - trained * is_test
        outfit = draw_outfit(parameters.rng(Stream.OUTFIT, int(is_test), place // parameters.twins))
        look = draw_look(outfit, parameters.rng(Stream.LOOK, identity))
        subjects.append(Subject(identity, look, _journey(parameters, identity, is_test)))
    test_images = (parameters.identities - trained) * parameters.images_per_identity
    for kind, share in ((DISTRACTOR, DISTRACTOR_SHARE), (JUNK, JUNK_SHARE)):
        subjects += [_stranger(parameters, kind, number) for number in range(max(1, round(share * test_images)))]
    return tuple(subjects)


def draw_independent(rng: np.random.Generator) -> Look:
    """Draws somebody who shares nothing with an identity: a distractor or a passer-by."""
    return draw_look(draw_outfit(rng), rng)


def _journey(parameters: Parameters, identity: int, is_test: bool) -> tuple[Shot, ...]:
    """Sends an identity past the cameras, each in turn, and turns it to a new side every time."""
    rng = parameters.rng(Stream.JOURNEY, identity)
    count = parameters.images_per_identity
    seen_by = rng.permutation(parameters.cameras)[: max(2, count // 2)] + 1
    sides = np.concatenate([rng.permutation(VIEWPOINTS) for _ in range(0, count, len(VIEWPOINTS))])
    queries = (QUERY_CAMERAS if count >= 2 * QUERY_CAMERAS else 1) if is_test else 0
    shots = []
    for turn in range(count):
        camera = int(seen_by[turn % len(seen_by)])
        split = QUERY if turn < queries else GALLERY if is_test else TRAIN
        name = f"{identity:04d}_c{camera}s1_{100 * identity + turn:06d}_{turn:02d}.jpg"
        yaw = float(sides[turn] + rng.normal(0.0, VIEWPOINT_SPREAD))
        shots.append(Shot(f"{split}/{name}", camera, yaw, identity * count + turn))
    return tuple(shots)


def _stranger(parameters: Parameters, identity: int, number: int) -> Subject:
    """A distractor or a piece of junk, both of one picture in the gallery's folder."""
    unique = (parameters.identities + 1) * parameters.images_per_identity + 2 * number + (identity == JUNK)
    rng = parameters.rng(Stream.JOURNEY, 0, unique)
    camera = int(rng.integers(parameters.cameras)) + 1
    start = "-1" if identity == JUNK else "0000"
    name = f"{start}_c{camera}s1_{unique:06d}_00.jpg"
    shot = Shot(f"{GALLERY}/{name}", camera, float(rng.uniform(-np.pi, np.pi)), unique)
    return Subject(identity, draw_independent(parameters.rng(Stream.STRANGER, unique)), (shot,))
