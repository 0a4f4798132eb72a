"""A small challenge: annotated training images, test images and queries of which nobody says who they show."""

from pathlib import Path

import numpy as np

from reid_tf.datasets.attributes.annotation_csv import write_annotations
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from tests.datasets.made_datasets import encoded_image

PEOPLE = (2, 7, 11, 20, 31, 40)


def answers(seed: int) -> tuple[int, ...]:
    """Returns one class index a group, from a seed."""
    draws = np.random.default_rng(seed)
    return tuple(int(draws.integers(len(group.classes))) for group in MARKET1501_SCHEMA.groups)


def write_challenge(root: Path, images: int = 4) -> Path:
    """Writes the three folders and the annotations of the training identities; every person is seen by two cameras."""
    train = [f"{person:04d}_c{1 + index % 2}s1_{index:06d}_00.jpg" for person in PEOPLE for index in range(images)]
    numbered = [f"{index:06d}.jpg" for index in range(5)]
    for folder, names in (("train", train), ("test", numbered), ("queries", numbered[:2])):
        (root / folder).mkdir(parents=True)
        for seed, name in enumerate(names):
            (root / folder / name).write_bytes(encoded_image(seed + len(folder)))
    write_annotations(root / "annotations_train.csv", {str(person): answers(person) for person in PEOPLE})
    return root
