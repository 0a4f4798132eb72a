"""COCO's people with their keypoints, cut out one by one: what a pose machine learns from."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reid_tf.datasets.crop_folder import (
    STAMP_FILE,
    check_at_least,
    check_complete,
    check_stamp,
    cut,
    make_crop_folder,
    write_jpeg,
)
from reid_tf.datasets.doctor.findings import counted
from reid_tf.datasets.joint_orders import COCO_17, in_coco_18, inside_the_image
from reid_tf.datasets.landmarks import read_landmarks, write_landmarks
from reid_tf.datasets.readers.coco import read_coco_people
from reid_tf.datasets.readers.folders import existing_root, image_names
from reid_tf.datasets.readers.json import json_numbers
from reid_tf.datasets.readers.pixels import read_image
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.options import Count, Whole
from reid_tf.progress import progress_bar
from reid_tf.registry import DATASETS

ANNOTATIONS = "annotations/person_keypoints_{}.json"
CROPS_FOLDER = "crops"
KEYPOINTS_FILE = "keypoints.npz"
_LEAST = {"margin": 0, "min_height": 1, "min_width": 1, "min_keypoints": 1, "quality": 1}

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PersonCrops:
    """Which people become crops, and how they are cut.

    Args:
        margin: float >= 0. See `coco_keypoints`, as for the others.
        aspect: float above 0, or None.
        min_height: int >= 1.
        min_width: int >= 1.
        min_keypoints: int >= 1.
        quality: int, 1 to 100.

    Raises:
        InputError: a value is out of its range.
    """

    margin: float
    aspect: float | None
    min_height: int
    min_width: int
    min_keypoints: int
    quality: int

    def __post_init__(self) -> None:
        check_at_least(_LEAST, dataclasses.asdict(self))
        if self.aspect is not None and not self.aspect > 0:
            raise InputError(f"aspect must be above 0, or null. Received: aspect={self.aspect}.")


@DATASETS.register("coco_keypoints")
def coco_keypoints(
    root: str | None,
    *,
    crops: str | None = None,
    train: str = "train2017",
    test: str = "val2017",
    margin: float = 0.1,
    aspect: float | None = 0.5,
    min_height: Whole = 64,
    min_width: Whole = 24,
    min_keypoints: Whole = 8,
    quality: Count = 95,
) -> ReIDDataset:
    """Cuts the people of COCO out, each with the landmarks that annotators set: to train and to judge pose estimators.

    Landmarks are those of `Record.landmarks`: the neck is the middle of the shoulders,
    where both are labelled. The confidence is 1 for a visible point, 0.5 for a hidden
    one, 0 for one that is not labelled or lies outside of the crop.

    COCO does not say who is who: every person is an identity of one image under camera
    0. Re-identification cannot be learnt or judged here. Half of the test people are
    queries and half gallery, since every data set has both; a pose estimator is judged
    on all of them.

    The crops are cut at the first call: about 100,000 of COCO 2017, some gigabytes.
    Their landmarks lie beside them in `keypoints.npz`, the form that
    `reid-tf landmarks --compare` reads.

    Args:
        root: str, or None. The folder with `annotations/person_keypoints_<split>.json`
            and, for each split, a folder of its name with the images.
        crops: str, or None. The folder for the crops; None takes `crops/` in the root.
            Crops that were made with other options or from other files are never mixed
            or replaced: an error says so.
        train: str. The split that trains.
        test: str. The split that is judged.
        margin: float >= 0. By which share of its height and width a person's box grows
            on every side. Boxes end at the outline, those of people detectors, on which
            the estimator will work, rarely do.
        aspect: float above 0, or None. Width by height to which a box then grows, in
            width or in height, as far as the image goes: crops are resized to the shape
            of pedestrians, and people who sit or stretch their arms would be squeezed.
            None leaves boxes as they are.
        min_height: int >= 1. People whose box has less height in pixels are left out.
        min_width: int >= 1. Likewise for the width.
        min_keypoints: int >= 1, at most 17. People with fewer labelled keypoints,
            hidden ones included, are left out. The default, half of them, wants more
            than a face.
        quality: int, 1 to 100. Of the crops' JPEG files.

    Returns:
        `ReIDDataset`, in the order of the file names.

    Raises:
        InputError: an option is out of its range, an annotation file or images are
            missing or not what they should be, a split has no person left, or the crops
            are incomplete or not made with these options.

    References:
        Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.
    """
    top = existing_root(root, "coco_keypoints")
    if train == test:
        raise InputError(f"train and test must be two splits. Received: train={train!r}, test={test!r}.")
    if min_keypoints > len(COCO_17) - 1:
        raise InputError(f"min_keypoints must be at most 17. Received: min_keypoints={min_keypoints}.")
    parameters = PersonCrops(margin, aspect, min_height, min_width, min_keypoints, quality)
    folder = Path(crops) if crops is not None else top / CROPS_FOLDER
    if not (folder / STAMP_FILE).is_file():
        _write_crops(folder, top, (train, test), parameters)
    written = check_stamp(folder, _stamp(top, (train, test), parameters))
    learnt, tested = ([f"{split}/{name}" for name in image_names(folder / split)] for split in (train, test))
    names = [*learnt, *tested]
    check_complete(folder, len(names), written)
    landmarks = read_landmarks(folder / KEYPOINTS_FILE)
    records = [
        Record(str(folder / name), identity, 0, landmarks=landmarks.get(name)) for identity, name in enumerate(names)
    ]
    first = len(learnt)
    return ReIDDataset(
        "coco_keypoints",
        tuple(records[:first]),
        tuple(records[first::2]),
        tuple(records[first + 1 :: 2]),
        root=str(folder),
    )


class _Person(NamedTuple):
    number: int  # place among the people of the annotation file
    box: np.ndarray  # [4]: left, top, right, bottom in pixels
    landmarks: np.ndarray  # [18, 3]: in pixels


def _stamp(root: Path, splits: tuple[str, str], parameters: PersonCrops) -> dict[str, Any]:
    """Returns what the crops depend on; an annotation file that is not there is left out."""
    stamp: dict[str, Any] = {**dataclasses.asdict(parameters), "splits": list(splits)}
    for split in splits:
        file = root / ANNOTATIONS.format(split)
        if file.is_file():
            stamp[f"annotations of {split}"] = f"{file.stat().st_size} bytes"
    return stamp


def _write_crops(folder: Path, root: Path, splits: tuple[str, str], parameters: PersonCrops) -> None:
    """Leaves the folder with the crops of all splits and their landmarks."""
    people = {split: _read_people(root, split, parameters) for split in splits}  # before an image is read

    def make(beside: Path) -> None:
        _LOG.info("Cutting the people of %s out into %s, once.", root, folder)
        landmarks: dict[str, np.ndarray] = {}
        for split, images in people.items():
            (beside / split).mkdir(parents=True)
            for name, crop, points in _crops(root / split, images, parameters):
                write_jpeg(beside / split / name, crop, parameters.quality)
                landmarks[f"{split}/{name}"] = points
        write_landmarks(beside / KEYPOINTS_FILE, landmarks, {"name": "coco_keypoints"})
        write_json(beside / STAMP_FILE, {**_stamp(root, splits, parameters), "crops": len(landmarks)})

    make_crop_folder(folder, make)


def _read_people(root: Path, split: str, parameters: PersonCrops) -> dict[str, list[_Person]]:
    """Returns who is to be cut out of each image, and logs how many are left out."""
    file = root / ANNOTATIONS.format(split)
    people = read_coco_people(file)
    boxes = np.array([_box(file, annotation) for annotation in people.annotations]).reshape(-1, 4)  # left, top, w, h
    crowd = np.array([bool(annotation.get("iscrowd")) for annotation in people.annotations], bool)
    small = ~crowd & ((boxes[:, 2] < parameters.min_width) | (boxes[:, 3] < parameters.min_height))
    bare = ~crowd & ~small & ((people.keypoints[..., 2] > 0).sum(axis=1) < parameters.min_keypoints)
    left_out = (
        f"{counted(int(crowd.sum()), 'crowd')}, {int(small.sum()):,} below {parameters.min_height} x "
        f"{parameters.min_width} pixels, {int(bare.sum()):,} with fewer than {parameters.min_keypoints} keypoints"
    )
    chosen = np.flatnonzero(~(crowd | small | bare))
    if not len(chosen):
        raise InputError(f"No person of {str(file)!r} is left of {len(boxes):,} annotated ones; left out: {left_out}.")
    _LOG.info("%s of %s; left out: %s.", counted(len(chosen), "person", "people"), split, left_out)
    points = people.keypoints.copy()
    points[..., :2] += 0.5  # COCO counts pixels from 0, and their middle is half a pixel further
    landmarks = in_coco_18(points, COCO_17)
    images: dict[str, list[_Person]] = {}
    for index in chosen:
        person = _Person(int(index), _grown(boxes[index], parameters), landmarks[index])
        images.setdefault(people.images[index]["file_name"], []).append(person)
    _check_images(root / split, images)
    return images


def _box(file: Path, annotation: Mapping[str, Any]) -> np.ndarray:
    return json_numbers(file, "bbox", annotation.get("bbox"), 4, "left, top, width, height")


def _grown(box: np.ndarray, parameters: PersonCrops) -> np.ndarray:
    """Returns left, top, right and bottom of a box (left, top, width, height) with its margin, in its new shape."""
    middle, size = box[:2] + box[2:] / 2, box[2:] * (1 + 2 * parameters.margin)
    if parameters.aspect is not None:
        width, height = size
        size = np.array([max(width, parameters.aspect * height), max(height, width / parameters.aspect)])
    return np.concatenate([middle - size / 2, middle + size / 2])


def _check_images(folder: Path, images: Mapping[str, Any]) -> None:
    missing = [name for name in images if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"The folder {str(folder)!r} lacks {len(missing):,} of the {len(images):,} images with people, the first "
            f"being {missing[0]!r}."
        )


def _crops(
    folder: Path, images: Mapping[str, list[_Person]], parameters: PersonCrops
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields the name of each crop, its pixels, BGR, and its landmarks as in `Record.landmarks`."""
    bar = progress_bar(images.items(), what="cutting people out of", unit="image", total=len(images))
    for name, people in bar:
        image = read_image(str(folder / name))
        for person in people:
            crop, (left, top, right, bottom) = cut(image, person.box)
            if not crop.size:
                raise InputError(
                    f"The person number {person.number} lies outside of the image {str(folder / name)!r}, in the box "
                    f"{person.box.round(1).tolist()}."
                )
            points = (person.landmarks - [left, top, 0]) / [right - left, bottom - top, 1]
            crop_name = f"{Path(name).stem}_{person.number:06d}.jpg"
            yield crop_name, crop[..., ::-1], inside_the_image(points)
