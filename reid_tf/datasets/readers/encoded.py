"""Encoded image bytes by record path: a plain file, or a place in a prepared data set."""

import functools
import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from reid_tf.datasets.readers.image_file import as_jpeg_or_png
from reid_tf.datasets.readers.json import read_json
from reid_tf.errors import InputError

# A place is "<folder of the prepared data set>::<split>::<index>".
_PLACE = re.compile(r"(?P<folder>.+)::(?P<split>\w+)::(?P<index>\d+)", re.DOTALL)


FEATURES_FILE = "features.json"
# What `prepare` writes: the classes of all features together and of each, and what is said of them.
_TFDS = "tensorflow_datasets.core.features"
_CLASS_OF_ALL = "features_dict.FeaturesDict"
_CLASSES = {
    "image": "image_feature.Image",
    "identity": "scalar.Scalar",
    "camera": "scalar.Scalar",
    "attributes": "tensor_feature.Tensor",
    "landmarks": "tensor_feature.Tensor",
    "path": "text_feature.Text",
}
_KEYS = {"pythonClassName", "description", "tensor", "image", "text"}
_KEYS_OF_ALL = {"pythonClassName", "description", "featuresDict"}


def place(folder: str | Path, split: str, index: int) -> str:
    """Returns the record path of an image in a prepared data set."""
    return f"{folder}::{split}::{index}"


def is_prepared(path: str) -> bool:
    """Returns whether a record's path is a place in a prepared data set, not a file."""
    return _PLACE.fullmatch(path) is not None


def read_encoded(paths: Sequence[str]) -> list[bytes]:
    """Reads images as JPEG or PNG files: those as they are stored, images of other formats turned into PNG.

    Args:
        paths: sequence of str. As in `read_stored()`.

    Returns:
        list of bytes, in the order of `paths`.

    Raises:
        InputError: as `read_stored()`, or an image of another format has too many
            pixels; the message names it.
    """
    stored = zip(paths, read_stored(paths), strict=True)
    return [as_jpeg_or_png(image, f"The file {path!r}") for path, image in stored]


def read_stored(paths: Sequence[str]) -> list[bytes]:
    """Reads the bytes of images as they are stored, whatever they are.

    Places in a prepared data set are read in one batch per split, which is several
    times faster than one by one. Safe to call from several threads.

    Args:
        paths: sequence of str. `Record.path` of each image, of either kind, in any
            mixture.

    Returns:
        list of bytes, in the order of `paths`.

    Raises:
        InputError: a file, a prepared data set or a place in it does not exist or
            cannot be read; the message names it.
    """
    images: list[bytes] = [b""] * len(paths)
    places: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for position, path in enumerate(paths):
        match = _PLACE.fullmatch(path)
        if match is None:
            images[position] = _read_file(path)
        else:
            places[match["folder"], match["split"]].append((position, int(match["index"])))
    for (folder, split), wanted in places.items():
        for (position, _), image in zip(wanted, _read_places(folder, split, [i for _, i in wanted]), strict=True):
            images[position] = image
    return images


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"The image file {path!r} cannot be read: {error.strerror or error}.") from error


def _read_places(folder: str, split: str, indices: Sequence[int]) -> list[bytes]:
    source = _source(folder, split)
    outside = [index for index in indices if index >= len(source)]
    if outside:
        raise InputError(
            f"The prepared data set {folder!r} has {len(source)} images in {split!r}. Received: {outside[0]}."
        )
    try:
        # A batch is read in parallel threads, which are worth starting from about a dozen images on.
        few = len(indices) < 12
        examples = [source[index] for index in indices] if few else source.__getitems__(list(indices))
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"The shards of {split!r} in {folder!r} cannot be read: {str(error).rstrip('.')}.") from error
    return [example.features.feature["image"].bytes_list.value[0] for example in examples]


def import_tfds() -> ModuleType:
    """Returns TensorFlow Datasets, imported when first needed since most data sets are plain files, and made quiet."""
    import tensorflow_datasets as tfds

    logging.getLogger("absl").setLevel(logging.WARNING)  # it logs every opened folder and every temporary name
    tfds.disable_progress_bar()  # its bars have no total
    return tfds


def check_features(folder: str | Path) -> None:
    """Refuses a prepared data set with other features than `prepare` writes.

    TensorFlow Datasets imports whatever module a folder names for a feature, and so
    would run a file that lies in the working directory.

    Args:
        folder: str or Path. The folder of a prepared data set.

    Raises:
        InputError: the description of the features is missing or says anything that
            `prepare` does not write.
    """
    path = Path(folder) / FEATURES_FILE
    if not path.is_file():
        raise InputError(f"{str(folder)!r} is not a prepared data set: it lacks {FEATURES_FILE}.")
    content = read_json(path)
    try:
        features = content["featuresDict"]["features"]
        others = [*content.keys() - _KEYS_OF_ALL, *content["featuresDict"].keys() - {"features"}]
        for feature in features.values():
            others += feature.keys() - _KEYS
        classes = {name: feature["pythonClassName"] for name, feature in features.items()}
        others += [f"{name}: {found}" for name, found in classes.items() if found != f"{_TFDS}.{_CLASSES.get(name)}"]
        if content["pythonClassName"] != f"{_TFDS}.{_CLASS_OF_ALL}":
            others.append(content["pythonClassName"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{str(path)!r} does not describe the features of a prepared data set: {error!r}.") from error
    if others:
        raise InputError(
            f"{str(path)!r} must have the features that reid-tf prepare writes, and no others, which could run "
            f"code. Received: {others[0]}."
        )


@functools.lru_cache(maxsize=32)
def _source(folder: str, split: str) -> Any:
    """Opens a split for random access; kept open, since opening costs more than reading a batch."""
    check_features(folder)
    tfds = import_tfds()
    try:
        # Examples stay protocol buffers: decoding the other features with TensorFlow Datasets would halve the speed.
        return tfds.builder_from_directory(folder).as_data_source(
            split, deserialize_method=tfds.decode.DeserializeMethod.DESERIALIZE_NO_DECODE
        )
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).rstrip(".")
        raise InputError(f"{folder!r} is not a prepared data set with the split {split!r}: {reason}.") from error
