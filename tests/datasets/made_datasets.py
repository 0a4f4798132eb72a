"""Small data sets for the tests, as records and as encoded images."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from reid_tf.datasets.record import Record, ReIDDataset

MARKET_NAMES = {
    "bounding_box_train": ("0002_c1s1_000451_03.jpg", "0002_c2s1_000551_01.jpg", "0007_c3s3_077419_03.jpg"),
    "query": ("0001_c1s1_001051_00.jpg", "0003_c4s6_015641_00.jpg"),
    "bounding_box_test": (
        "-1_c1s1_000401_03.jpg",
        "0000_c1s1_000151_01.jpg",
        "0001_c2s1_000301_01.jpg",
        "0003_c1s6_015971_02.jpg",
    ),
    "gt_bbox": (
        "0001_c1s1_001051_00.jpg",
        "0001_c1s1_001076_00.jpg",
        "0001_c2s1_000301_00.jpg",
        "0002_c1s1_000451_00.jpg",
    ),
}


def encoded_image(seed: int, suffix: str = ".jpg") -> bytes:
    """Returns a small encoded image of noise; every seed gives other bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 8, 3), np.uint8)
    return bytes(cv2.imencode(suffix, pixels)[1])


def records_of(rows: Iterable[tuple[int, int]], folder: str = "images") -> tuple[Record, ...]:
    """Returns a record for each (identity, camera), every one with a path of its own."""
    return tuple(Record(f"{folder}/{index:03d}.jpg", identity, camera) for index, (identity, camera) in enumerate(rows))


def dataset_of(
    train: Iterable[tuple[int, int]], query: Iterable[tuple[int, int]] = (), gallery: Iterable[tuple[int, int]] = ()
) -> ReIDDataset:
    """Returns a data set from the (identity, camera) of its images; no file exists."""
    splits = (records_of(rows, name) for rows, name in ((train, "train"), (query, "query"), (gallery, "gallery")))
    return ReIDDataset("made", *splits)


def places(records: Iterable[Record]) -> list[tuple[str, int, int]]:
    """Returns what a loader reads from names: file name, identity, camera."""
    return [(Path(record.path).name, record.identity, record.camera) for record in records]
