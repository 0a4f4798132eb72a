"""Drawn pedestrians: a data set for anybody who has none, with everything that Market-1501 annotates."""

import dataclasses
import hashlib
import json
import logging
import os
from pathlib import Path

from reid_tf.datasets.market1501 import read_market_layout
from reid_tf.datasets.pedestrians.population import Parameters
from reid_tf.datasets.pedestrians.writing import write_pedestrians
from reid_tf.datasets.readers.image_file import MAX_PIXELS
from reid_tf.datasets.record import ReIDDataset
from reid_tf.errors import InputError
from reid_tf.files import made_once, user_path, write_json
from reid_tf.options import Count, Whole
from reid_tf.registry import DATASETS

CACHE_VARIABLE = "REID_TF_CACHE"
PARAMETERS_FILE = "parameters.json"
DRAWING_VERSION = (
    1  # raised whenever the same parameters give other pictures, so that old folders are not taken for new
)

_LOG = logging.getLogger(__name__)
_LEAST = {"identities": 4, "images_per_identity": 2, "cameras": 2}
_MOST = 100_000  # of each: more would be drawn for weeks


@DATASETS.register("synthetic")
def synthetic(
    root: str | None,
    *,
    identities: Count = 450,
    images_per_identity: Count = 8,
    cameras: Count = 6,
    twins: Count = 2,
    image_size: tuple[Count, Count] = (128, 64),
    seed: Whole = 0,
) -> ReIDDataset:
    """Draws pedestrians, once, and reads them like Market-1501.

    An identity has a lasting look; cameras differ in colour cast, exposure, sharpness
    and backdrop. A third of the identities are for testing, never seen in training; the
    gallery also holds distractors and, in its folder, junk. The same parameters give
    the same files. They are written to a folder of their own, named after the
    parameters, which appears when it is complete; several processes may ask for it at
    once. Colours alone do not solve it: at the default size a colour histogram reaches
    an mAP of 0.16 (up to 0.26 with other seeds).

    Args:
        root: str, or None. The cache folder in which the data set's folder lies; None
            takes the environment variable REID_TF_CACHE, or `~/.cache/reid_tf`.
        identities: int >= 4. Persons in both halves together.
        images_per_identity: int >= 2. The default gives 3,900 images with the
            distractors and junk.
        cameras: int >= 2.
        twins: int >= 1. How many identities share an outfit: equal in every attribute
            and in the colours of their clothes, different in pattern, print, cut, build
            and bags. 1 makes all of them independent, and easier.
        image_size: tuple of 2 int. Height and width in pixels, at least 32 x 16.
        seed: int >= 0.

    Returns:
        `ReIDDataset` named "synthetic". Every train and query record has attributes and
        landmarks; distractors have landmarks only.

    Raises:
        InputError: a parameter is out of its range, or the folder cannot be written or
            lacks images.
    """
    parameters = Parameters(identities, images_per_identity, cameras, twins, (image_size[0], image_size[1]), seed)
    _check(parameters)
    folder = _cache(root) / _folder_name(parameters)
    if not (folder / PARAMETERS_FILE).is_file():
        made_once(folder, PARAMETERS_FILE, lambda beside: _write(beside, parameters))
    dataset = read_market_layout(str(folder), "synthetic")
    _check_complete(folder, dataset)
    return dataset


def _check(parameters: Parameters) -> None:
    for name, least in _LEAST.items():
        value = getattr(parameters, name)
        if value < least:
            raise InputError(f"The synthetic pedestrians' {name} must be at least {least}. Received: {value}.")
        if value > _MOST:
            raise InputError(f"The synthetic pedestrians' {name} must be at most {_MOST}. Received: {value}.")
    height, width = parameters.image_size
    if height * width > MAX_PIXELS:
        raise InputError(
            f"The synthetic pedestrians' image_size (height, width) must have at most {MAX_PIXELS:,} pixels. "
            f"Received: {parameters.image_size}."
        )
    if height < 32 or width < 16:
        raise InputError(
            "The synthetic pedestrians' image_size (height, width) must be at least (32, 16). "
            f"Received: {parameters.image_size}."
        )


def _cache(root: str | None) -> Path:
    if root is None:
        root = str(
            user_path(
                os.environ.get(CACHE_VARIABLE) or "~/.cache/reid_tf",
                f"name a folder with the environment variable {CACHE_VARIABLE}, or with --data",
            )
        )
    if Path(root).is_file():
        raise InputError(f"The cache of the synthetic pedestrians must be a folder. Received the file {root!r}.")
    return Path(root)


def _folder_name(parameters: Parameters) -> str:
    text = json.dumps([DRAWING_VERSION, dataclasses.asdict(parameters)], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"synthetic-{parameters.identities}x{parameters.images_per_identity}-{digest}"


def _write(folder: Path, parameters: Parameters) -> None:
    _LOG.info("Drawing the synthetic pedestrians into %s, once.", folder.parent)
    images = write_pedestrians(folder, parameters)
    description = {"drawing_version": DRAWING_VERSION, **dataclasses.asdict(parameters), "images": images}
    write_json(folder / PARAMETERS_FILE, description)


def _check_complete(folder: Path, dataset: ReIDDataset) -> None:
    """Images may have been deleted since, by hand or by whatever tidies caches."""
    found = sum(len(split) for split in dataset.splits().values())
    written = json.loads((folder / PARAMETERS_FILE).read_text())["images"]
    if found != written:
        raise InputError(
            f"The folder of synthetic pedestrians {str(folder)!r} holds {found} of {written} images; "
            "delete it to have it drawn again."
        )
