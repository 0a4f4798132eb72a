"""An attribute and retrieval challenge: a labelled training folder, and test images and queries that nobody names."""

import dataclasses
import os
import re
from pathlib import Path

from reid_tf.datasets.attributes.labels import add_attributes, annotation_labels
from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import Split, existing_root, find_root, image_names, read_folder
from reid_tf.datasets.record import JUNK, Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

TRAIN, TEST, QUERIES = "train", "test", "queries"
ANNOTATIONS_FILE = "annotations_train.csv"
EXAMPLE = "0002_c1s1_000451_03.jpg"
# The identity comes first; where "_c1" follows, that is the camera, and what follows then does not matter.
NAME = re.compile(r"(?P<identity>-1|\d+)_(?:c(?P<camera>\d+)(?!\d))?.*", re.IGNORECASE)
NO_CAMERA = -1


@DATASETS.register("attribute_challenge")
def attribute_challenge(
    root: str | None, *, attributes: str | None = None, landmarks: str | None = None
) -> ReIDDataset:
    """Reads a challenge's folders `train/`, `test/` and `queries/`, and the annotations of the first.

    The names of the training images begin with the identity ("0002_c1s1_000451_03.jpg",
    "0002_17.jpg"); a name without a camera gives camera 0. Test images and queries may
    have any names: they become gallery and query with identity and camera -1, so that a
    run on this data set is judged on its validation split (`by_order` is the paper's),
    and `reid-tf attributes --ranked` writes what the challenge asks for.

    Args:
        root: str, or None. The folder with `train/`, `test/` and `queries/`.
        attributes: str, or None. The annotation CSV, whose rows are training identities
            or training images (`annotation_csv.py`); None takes `annotations_train.csv`
            in the root.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` in the
            root, if it is there.

    Returns:
        `ReIDDataset` with `MARKET1501_SCHEMA`.

    Raises:
        InputError: a folder or file is missing or is not what its name says, a folder
            holds no images, or the annotations lack an identity.

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, section 2.
    """
    folder = existing_root(root, "attribute_challenge")
    wanted = (TRAIN, TEST, QUERIES, *((ANNOTATIONS_FILE,) if attributes is None else ()))
    folder = find_root(folder, "attribute_challenge", wanted)
    train = read_folder(folder / TRAIN, NAME, EXAMPLE)
    if not train:
        raise _no_images(folder / TRAIN)
    # Labelled on its own: a test image may happen to have a training image's name.
    labels = annotation_labels(folder / ANNOTATIONS_FILE if attributes is None else attributes)
    dataset = add_attributes(ReIDDataset("attribute_challenge", train, (), ()), labels)
    dataset = dataclasses.replace(dataset, query=_unnamed(folder / QUERIES), gallery=_unnamed(folder / TEST))
    return add_landmarks(dataset, folder, landmarks)


def _unnamed(folder: Path) -> Split:
    records = tuple(Record(os.path.join(folder, name), JUNK, NO_CAMERA) for name in image_names(folder))
    if not records:
        raise _no_images(folder)
    return records


def _no_images(folder: Path) -> InputError:
    return InputError(f"The data set 'attribute_challenge' needs images in {str(folder)!r}, which holds none.")
