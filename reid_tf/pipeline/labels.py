"""Records -> the labels of a batch."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

from reid_tf.datasets.attributes.schema import UNKNOWN, AttributeSchema
from reid_tf.datasets.record import DIFFERENT, NUM_LANDMARKS, SAME, Record
from reid_tf.errors import InputError
from reid_tf.options import unknown

_OF_BOTH = ("identity", "attributes", "binary_attributes", "teacher")
_OF_LANDMARKS = ("landmarks", "identity_and_pose")
LABELS = {"images": (*_OF_BOTH, *_OF_LANDMARKS), "pairs": (*_OF_BOTH, "identity_a", "identity_b", "verification")}


class Labels:
    """Looks up the labels of a batch by the indices of its images.

    On images, "identity" is [batch], "attributes" [batch, groups] and
    "binary_attributes" [batch, targets]; on pairs each has an axis of two after the
    batch axis. Pairs have "identity_a" and "identity_b" [batch] beside them, and
    "verification" [batch], the class of the pair: 0 (`SAME`) where both images show one
    person, 1 (`DIFFERENT`) where they show two. All are int32; an attribute that is not
    known is -1.

    "teacher" is float32 [batch, dim], the vectors that another encoder gave the images
    as they are in their files; on pairs it has an axis of two after the batch axis.

    Two labels of images are float32 and follow the landmarks that augmentation moved:
    "landmarks" [batch, 18, 3], and "identity_and_pose" [batch, 1 + 18 * 3], where they
    come after the identity's class.

    Args:
        records: sequence of `Record`.
        class_of_identity: mapping from identity to class index.
        targets: mapping from output name to label.
        kind: "images" or "pairs".
        schema: `AttributeSchema`, or None where no attribute is a target.
        teacher: float [records, dim], or None where no teacher's vector is a target.

    Raises:
        InputError: a label does not exist, an identity has no class, or attributes or a
            teacher's vectors are wanted and not there.
    """

    def __init__(
        self,
        records: Sequence[Record],
        class_of_identity: Mapping[int, int],
        targets: Mapping[str, str],
        kind: Literal["images", "pairs"],
        schema: AttributeSchema | None = None,
        teacher: np.ndarray | None = None,
    ) -> None:
        for output, label in targets.items():
            if label not in LABELS[kind]:
                raise InputError(unknown(f"label of the output {output!r} on {kind}", label, LABELS[kind]))
        self._targets = dict(targets)
        self.need_landmarks = bool(set(targets.values()) & set(_OF_LANDMARKS))
        # The attributes come first: they say what is missing where neither is known.
        tables = {
            label: _attributes(records, schema, label == "binary_attributes")
            for label in sorted(set(targets.values()) & {"attributes", "binary_attributes"})
        }
        tables["identity"] = _identities(records, class_of_identity)
        with tf.device("CPU:0"):
            self._tables = {label: tf.constant(table, tf.int32) for label, table in tables.items()}
            if "teacher" in targets.values():
                if teacher is None or len(teacher) != len(records):
                    raise InputError(
                        f"A teacher's vectors are a target, one for each of the {len(records)} images. "
                        f"Received: {None if teacher is None else teacher.shape}."
                    )
                self._tables["teacher"] = tf.constant(teacher, tf.float32)

    def __call__(self, indices: tf.Tensor, landmarks: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns the targets of a batch.

        Args:
            indices: int64 [batch] or [batch, 2]. Of the images among the records.
            landmarks: float32 [batch, 18, 3], where `need_landmarks` is set. Those of
                the batch, after augmentation.

        Returns:
            dict from output name to its label.
        """
        return {output: self._label(label, indices, landmarks) for output, label in self._targets.items()}

    def _label(self, label: str, indices: tf.Tensor, landmarks: tf.Tensor | None) -> tf.Tensor:
        if label == "landmarks":
            return landmarks
        if label == "identity_and_pose":
            identity = tf.cast(tf.gather(self._tables["identity"], indices), tf.float32)
            return tf.concat([identity[:, tf.newaxis], tf.reshape(landmarks, [-1, NUM_LANDMARKS * 3])], axis=1)
        if label == "verification":
            identity = tf.gather(self._tables["identity"], indices)
            return tf.where(identity[:, 0] == identity[:, 1], SAME, DIFFERENT)
        if label in ("identity_a", "identity_b"):
            return tf.gather(self._tables["identity"], indices[:, 0 if label == "identity_a" else 1])
        return tf.gather(self._tables[label], indices)


def _identities(records: Sequence[Record], class_of_identity: Mapping[int, int]) -> np.ndarray:
    for record in records:
        if record.identity not in class_of_identity:
            raise InputError(
                f"The identity {record.identity} of {record.path!r} is not among the {len(class_of_identity)} classes."
            )
    return np.array([class_of_identity[record.identity] for record in records], np.int32)


def _attributes(records: Sequence[Record], schema: AttributeSchema | None, binary: bool) -> np.ndarray:
    if schema is None:
        raise InputError(
            f"Attributes are a target, but the data set has no attribute labels: attribute_schema={schema}."
        )
    nothing = (UNKNOWN,) * len(schema.groups)
    rows = []
    for record in records:
        row = nothing if record.attributes is None else record.attributes
        if len(row) != len(nothing):
            raise InputError(f"{record.path!r} has {len(row)} attributes; the schema has {len(nothing)} groups.")
        rows.append(schema.to_binary(row) if binary else row)
    return np.array(rows, np.int32)
