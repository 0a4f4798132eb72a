"""Tiny images as files and as batches."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.record import Record
from tests.pipeline.made_images import draw


@pytest.fixture(scope="session")
def records(tmp_path_factory) -> tuple[Record, ...]:
    """25 lossless images of 7 identities, one of which has a single image, two sizes, three cameras."""
    folder = tmp_path_factory.mktemp("images")
    records = []
    for index in range(25):
        path = folder / f"{index:02d}.png"
        image = draw(index, *((32, 16) if index % 3 else (40, 24)))
        cv2.imwrite(str(path), image[..., ::-1])
        landmarks = np.random.default_rng(index).uniform(0.1, 0.9, (18, 3)).astype(np.float32)
        attributes = (index % 2, index % 3) if index % 5 else None
        records.append(Record(str(path), 10 * (index // 4), 1 + index % 3, attributes, landmarks))
    return tuple(records)


@pytest.fixture
def image_batch() -> dict[str, tf.Tensor]:
    """Six different float images with landmarks."""
    rng = np.random.default_rng(0)
    return {
        "image": tf.constant(np.stack([draw(seed, 24, 12) for seed in range(6)]), tf.float32),
        "landmarks": tf.constant(rng.uniform(0, 1, (6, 18, 3)), tf.float32),
    }


@pytest.fixture
def apply():
    """A function that runs an augmentation eagerly and inside tf.data, where it must give the same."""

    def run(augmentation, batch, seed=(1, 2)):
        seed = tf.constant(seed, tf.int32)
        eager = {key: value.numpy() for key, value in augmentation(dict(batch), seed).items()}
        dataset = tf.data.Dataset.from_tensors((dict(batch), seed)).map(augmentation)
        for key, value in next(dataset.as_numpy_iterator()).items():
            np.testing.assert_array_equal(eager[key], value)
        return eager

    return run


@pytest.fixture
def dotted():
    """A function that makes black images with one white pixel at the first landmark, and their landmarks."""

    def make(rows, columns, height, width, joint=0):
        count = len(rows)
        image = np.zeros((count, height, width, 3), np.float32)
        image[np.arange(count), rows, columns] = 255.0
        landmarks = np.zeros((count, 18, 3), np.float32)
        landmarks[:, joint] = np.stack(
            [(np.asarray(columns) + 0.5) / width, (np.asarray(rows) + 0.5) / height, np.ones(count)], axis=1
        )
        return {"image": tf.constant(image), "landmarks": tf.constant(landmarks)}

    return make


@pytest.fixture
def find_dot():
    """A function that returns the x and y in [0, 1] of each image's white pixel, or None where there is none."""

    def find(images):
        found = []
        for image in images[..., 0]:
            place = np.argwhere(image == 255.0)
            found.append(None if len(place) == 0 else (place[0][::-1] + 0.5) / np.array(image.shape[::-1]))
        return found

    return find
