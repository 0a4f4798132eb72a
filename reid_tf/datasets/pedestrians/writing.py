"""Draws a population's pictures into a folder of Market-1501's layout."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_tf.datasets.attributes.files import write_market_attributes
from reid_tf.datasets.landmarks import LANDMARKS_FILE, write_landmarks
from reid_tf.datasets.market1501 import ATTRIBUTES_FILE
from reid_tf.datasets.pedestrians.camera import Camera, draw_camera, encode
from reid_tf.datasets.pedestrians.picture import Person, draw_junk, draw_picture
from reid_tf.datasets.pedestrians.population import Parameters, Stream, Subject, draw_independent, draw_population
from reid_tf.datasets.readers.folders import SPLIT_FOLDERS
from reid_tf.datasets.record import JUNK
from reid_tf.progress import progress_bar

PASSERS_BY = 24


def write_pedestrians(folder: Path, parameters: Parameters) -> int:
    """Draws the data set.

    Args:
        folder: Path. An existing folder, filled with images, `market_attribute.mat` and
            `landmarks.npz`.
        parameters: `Parameters`.

    Returns:
        int. How many pictures show somebody, junk not counted.
    """
    for split in SPLIT_FOLDERS.values():
        (folder / split).mkdir()
    population = draw_population(parameters)
    cameras = {n: draw_camera(parameters.rng(Stream.CAMERA, n)) for n in range(1, parameters.cameras + 1)}
    passers_by = [Person.of(draw_independent(parameters.rng(Stream.PASSER_BY, n))) for n in range(PASSERS_BY)]
    landmarks: dict[str, np.ndarray] = {}
    # One after the other: threads gain at most a fifth, as a picture is many small steps that hold Python's lock.
    total = sum(len(subject.shots) for subject in population)
    with progress_bar(what="drawing", unit="image", total=total) as bar:
        for subject in population:
            landmarks.update(_draw_subject(folder, subject, parameters, cameras, passers_by))
            bar.update(len(subject.shots))
    write_landmarks(folder / LANDMARKS_FILE, landmarks)
    _write_attributes(folder / ATTRIBUTES_FILE, population, parameters)
    return len(landmarks)


def _draw_subject(
    folder: Path,
    subject: Subject,
    parameters: Parameters,
    cameras: dict[int, Camera],
    passers_by: Sequence[Person],
) -> dict[str, np.ndarray]:
    """Writes the pictures of one subject and returns their landmarks by path; junk has none."""
    height, width = parameters.image_size
    person = Person.of(subject.look)
    landmarks = {}
    for shot in subject.shots:
        rng = parameters.rng(Stream.PICTURE, shot.number)
        camera = cameras[shot.camera]
        if subject.identity == JUNK:
            pixels = draw_junk(person, camera, height, width, rng)
        else:
            passer_by = passers_by[int(rng.integers(len(passers_by)))]
            picture = draw_picture(person, camera, shot.yaw, height, width, rng, passer_by)
            pixels, landmarks[shot.path] = picture.pixels, picture.landmarks
        (folder / shot.path).write_bytes(encode(camera, pixels))
    return landmarks


def _write_attributes(path: Path, population: Sequence[Subject], parameters: Parameters) -> None:
    trained = parameters.train_identities
    attributes = {subject.identity: subject.look.attributes for subject in population if subject.identity > 0}
    train = {identity: answers for identity, answers in attributes.items() if identity <= trained}
    test = {identity: answers for identity, answers in attributes.items() if identity > trained}
    write_market_attributes(path, train, test)
