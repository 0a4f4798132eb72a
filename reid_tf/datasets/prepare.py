"""The prepared form of a data set, written: a TensorFlow Datasets builder in ArrayRecord shards.

A million image files are slow to copy, to list and to read at random from a network
disk; the same bytes in shards are a few hundred files. Other programs read the folder
with `tfds.builder_from_directory()`.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.datasets.landmarks import SHAPE
from reid_tf.datasets.prepared import RECORDS_FILE
from reid_tf.datasets.readers.encoded import import_tfds, is_prepared, read_encoded
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.files import folder_written_beside
from reid_tf.progress import progress_bar

_BATCH = 256  # images read at once: enough to spread a prepared source's cost, little enough to hold in memory


def prepare(dataset: ReIDDataset, folder: str | Path) -> None:
    """Writes a data set in the form that the data set `prepared` reads.

    The order of the records is kept. The bytes of JPEG and PNG files are copied
    untouched; images of other formats become PNG. The folder appears when everything is
    written; after an error or an interruption nothing is there.

    Args:
        dataset: `ReIDDataset`, with at least one record.
        folder: str or Path. A folder that does not exist yet, or an empty one.

    Raises:
        InputError: something is already at `folder`, another process writes there, the
            data set is empty, or an image cannot be read.
    """
    splits = {split: records for split, records in dataset.splits().items() if records}
    if not splits:
        raise InputError(f"The data set {dataset.name!r} has no images to prepare: {dataset.splits()!r}.")
    with folder_written_beside(folder) as temporary:
        _write_shards(dataset.name, splits, temporary)
        np.savez_compressed(temporary / RECORDS_FILE, allow_pickle=False, **_columns(dataset))


def _write_shards(name: str, splits: Mapping[str, Sequence[Record]], folder: Path) -> None:
    tfds = import_tfds()
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(doc="as it was encoded"),
            "identity": tfds.features.Scalar(np.int64),
            "camera": tfds.features.Scalar(np.int64),
            "attributes": tfds.features.Tensor(shape=(None,), dtype=np.int32, doc="empty where there are none"),
            "landmarks": tfds.features.Tensor(shape=(None, 3), dtype=np.float32, doc="empty where there are none"),
            "path": tfds.features.Text(doc="of the original file, relative to the folder of all of them"),
        }
    )
    root = _common_folder([record.path for records in splits.values() for record in records])
    with progress_bar(what="preparing", unit="image", total=sum(map(len, splits.values()))) as progress:
        builder = tfds.dataset_builders.AdhocBuilder(
            name=name,
            version="1.0.0",
            description="Images of persons for re-identification, with identity and camera.",
            features=features,
            split_datasets={split: _examples(records, root, progress) for split, records in splits.items()},
            data_dir=folder / "tfds",
            file_format="array_record",
            disable_shuffling=True,  # the records keep their order
        )
        # It announces a download, which there is none of.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare()
    for item in sorted(Path(builder.data_path).iterdir()):
        shutil.move(item, folder / item.name)
    shutil.rmtree(folder / "tfds")


def _examples(records: Sequence[Record], root: str, progress: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for start in range(0, len(records), _BATCH):
        batch = records[start : start + _BATCH]
        images = read_encoded([record.path for record in batch])
        for index, (record, image) in enumerate(zip(batch, images, strict=True), start):
            attributes = () if record.attributes is None else record.attributes
            landmarks = np.empty((0, 3)) if record.landmarks is None else record.landmarks
            yield (
                index,
                {
                    "image": image,
                    "identity": record.identity,
                    "camera": record.camera,
                    "attributes": np.array(attributes, np.int32),
                    "landmarks": np.asarray(landmarks, np.float32),
                    "path": Path(os.path.relpath(record.path, root)).as_posix(),
                },
            )
            progress.update()


def _common_folder(paths: Sequence[str]) -> str:
    """Returns the deepest folder that holds all images, so that the shards do not depend on where that folder is."""
    folders = sorted({os.path.dirname(path) for path in paths if not is_prepared(path)})
    return os.path.commonpath([os.path.abspath(folder) for folder in folders]) if folders else os.curdir


def _columns(dataset: ReIDDataset) -> dict[str, np.ndarray]:
    """Returns the arrays of the records file."""
    schema = dataset.attribute_schema
    about = {
        "dataset": dataset.name,
        "attribute_schema": schema and [[group.name, group.classes] for group in schema.groups],
        "identity_names": dataset.identity_names and dict(dataset.identity_names),
    }
    columns = {"about": np.array(json.dumps(about))}
    for split, records in dataset.splits().items():
        attributes = [record.attributes for record in records if record.attributes is not None]
        landmarks = [record.landmarks for record in records if record.landmarks is not None]
        groups = len(schema.groups) if schema else 0
        columns |= {
            f"{split}_identities": np.array([record.identity for record in records], np.int64),
            f"{split}_cameras": np.array([record.camera for record in records], np.int64),
            f"{split}_attributes": np.array(attributes, np.int32).reshape(len(attributes), groups),
            f"{split}_has_attributes": np.array([record.attributes is not None for record in records], bool),
            f"{split}_landmarks": np.array(landmarks, np.float32).reshape(-1, *SHAPE),
            f"{split}_has_landmarks": np.array([record.landmarks is not None for record in records], bool),
        }
    return columns
