"""What models take beside pixels: the landmarks of an image and the boxes of its body parts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reid_tf.datasets.record import NUM_LANDMARKS, Record
from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.pose.mirror import mirror_landmarks, mirrored_boxes
from reid_tf.pose.part_boxes import part_boxes

Batch = dict[str, Any]  # from record field to NumPy array or tensor
FIELDS = ("image", "landmarks", "part_boxes")


def check_fields(inputs: Mapping[str, str]) -> None:
    """Raises an `InputError` where an input names a field that there is not."""
    for name, field in inputs.items():
        if field not in FIELDS:
            raise InputError(unknown(f"record field of the input {name!r}", field, FIELDS))


def need_landmarks(fields: Iterable[str]) -> bool:
    """Whether any of some record fields is made from landmarks."""
    return bool({"landmarks", "part_boxes"} & set(fields))


def landmark_table(records: Sequence[Record]) -> np.ndarray:
    """Gathers the landmarks of records.

    Args:
        records: sequence of `Record`.

    Returns:
        float32 [len(records), 18, 3].

    Raises:
        InputError: a record has none.
    """
    missing = [record.path for record in records if record.landmarks is None]
    if missing:
        raise InputError(
            f"The model needs the landmarks of every image, but {len(missing)} of {len(records)} images have none, the "
            f"first being {missing[0]!r}; `reid-tf landmarks --detector NAME` finds them for all images "
            "and writes them beside the images."
        )
    return np.array([record.landmarks for record in records], np.float32).reshape(-1, NUM_LANDMARKS, 3)


def as_inputs(batch: Batch, inputs: Mapping[str, str]) -> Batch:
    """Makes a model's inputs of a batch; part boxes that it lacks are those of the landmarks as they now are.

    Args:
        batch: mapping with "image" and, where the inputs need them, "landmarks" or
            "part_boxes".
        inputs: mapping from input name to record field.

    Returns:
        dict from input name to tensor.
    """
    if "part_boxes" in inputs.values() and "part_boxes" not in batch:
        batch = {**batch, "part_boxes": part_boxes(batch["landmarks"])}
    return {name: batch[field] for name, field in inputs.items()}


def mirrored(batch: Batch) -> Batch:
    """Exchanges left and right in all images of a batch, in their landmarks and in their part boxes."""
    mirror = {"image": lambda image: image[:, :, ::-1], "landmarks": mirror_landmarks, "part_boxes": mirrored_boxes}
    return {name: mirror[name](value) for name, value in batch.items()}
