"""One's own crops: a folder for each person, split by person."""

import os
import re
from collections import Counter
from pathlib import Path

from reid_tf.datasets.landmarks import add_landmarks
from reid_tf.datasets.readers.folders import contents, existing_root, file_names, image_names
from reid_tf.datasets.readers.image_file import IMAGE_SUFFIXES
from reid_tf.datasets.readers.named_numbers import as_numbers
from reid_tf.datasets.record import JUNK, Record, ReIDDataset
from reid_tf.datasets.splits import held_out
from reid_tf.errors import InputError
from reid_tf.options import Whole
from reid_tf.registry import DATASETS


@DATASETS.register("folder")
def folder(
    root: str | None,
    *,
    camera: str | None = None,
    test_share: float = 0.3,
    seed: Whole = 0,
    landmarks: str | None = None,
) -> ReIDDataset:
    r"""Reads a folder of folders, one for each person, with images of that person at any depth.

    People are drawn into a training and a test part; each of the test part gives one
    image of every camera as a query and the others to the gallery.

    Args:
        root: str, or None. The folder of folders. A folder's name is the person's.
        camera: str, or None. A regular expression that is looked for in an image's path
            from the person's folder on; what its one group matches, such as
            "cam([0-9]+)" or "^([^/]+)/", is the camera. None makes all images camera
            0: evaluate with the protocol `single_camera`.
        test_share: float in (0, 1). How many of the people with two images are tested,
            of those whom two cameras saw where there are any.
        seed: int. Which people they are.
        landmarks: str, or None. The landmark file; None takes `landmarks.npz` in the
            root, if it is there.

    Returns:
        `ReIDDataset`.

    Raises:
        InputError: there is no folder, images lie beside the folders, nobody has two
            images, the expression is not valid or does not match, or the share leaves
            nobody on one side.
    """
    path = existing_root(root, "folder")
    entries = file_names(path, subfolders=False)
    people = [entry.removesuffix("/") for entry in entries if entry.endswith("/")]
    if not people or any(entry.lower().endswith(IMAGE_SUFFIXES) for entry in entries):
        raise InputError(
            f"The data set 'folder' needs a folder for each person and no image beside them: {str(path)!r} holds "
            f"{contents(path)}."
        )
    images = [(person, name) for person in people for name in image_names(path / person, subfolders=True)]
    if not images or max(Counter(person for person, _ in images).values()) < 2:
        raise InputError(
            f"The data set 'folder' needs people with two images or more, to learn and to test what is the same: the "
            f"{len(people)} folders in {str(path)!r} hold {len(images)} images."
        )
    numbers, names = as_numbers(people)
    if len(set(numbers)) < len(people) or (names is None and JUNK in numbers):
        raise InputError(
            f"The folders of people must be distinct as numbers, if numbers they are, and none -1, which is kept for "
            f"junk: {str(path)!r} holds {', '.join(people[:8])}{' ...' if len(people) > 8 else ''}."
        )
    number = dict(zip(people, numbers, strict=True))
    cameras = _cameras(path, images, camera)
    records = tuple(
        Record(os.path.join(path, person, name), number[person], seen_by)
        for (person, name), seen_by in zip(images, cameras, strict=True)
    )
    whole = ReIDDataset("folder", records, (), (), identity_names=names)
    return add_landmarks(held_out(whole, share=test_share, seed=seed), path, landmarks)


def _cameras(root: Path, images: list[tuple[str, str]], pattern: str | None) -> list[int]:
    if pattern is None:
        return [0] * len(images)
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"camera is not a valid regular expression ({error}). Received: camera={pattern!r}.") from None
    if expression.groups != 1:
        raise InputError(
            f"camera must have one group in parentheses, which is the camera. Received: camera={pattern!r}, with "
            f"{expression.groups}."
        )
    found = [(os.path.join(root, *image), expression.search(image[1])) for image in images]
    without = [path for path, match in found if match is None or not match[1]]
    if without:
        raise InputError(
            f"camera must be found in every image's path from the person's folder on. Received: camera={pattern!r}, "
            f"not found in {len(without)} of {len(images)} images, the first being {without[0]!r}."
        )
    return as_numbers([match[1] for _, match in found if match])[0]
