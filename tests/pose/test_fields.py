import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pose.fields import FIELDS, as_inputs, check_fields, landmark_table, mirrored, need_landmarks
from reid_tf.pose.mirror import mirror_landmarks
from reid_tf.pose.part_boxes import part_boxes


@pytest.fixture
def records() -> tuple[Record, ...]:
    """25 images that nobody reads, with landmarks."""
    rng = np.random.default_rng(0)
    return tuple(
        Record(f"{index:02d}.png", index, 1, landmarks=rng.uniform(0.1, 0.9, (18, 3)).astype(np.float32))
        for index in range(25)
    )


@pytest.fixture(params=[np.asarray, tf.constant], ids=["numpy", "tensor"])
def image_batch(request) -> dict:
    """Six images with landmarks, as arrays or as tensors."""
    rng = np.random.default_rng(0)
    fields = {"image": rng.uniform(0, 255, (6, 24, 12, 3)), "landmarks": rng.uniform(0, 1, (6, 18, 3))}
    return {field: request.param(values.astype(np.float32)) for field, values in fields.items()}


def test_fields_that_there_are_pass_and_others_are_named():
    check_fields({field: field for field in FIELDS})
    check_fields({})
    with pytest.raises(
        InputError,
        match="field of the input 'pose': 'landmark'. Did you mean 'landmarks'.*image, landmarks, part_boxes",
    ):
        check_fields({"image": "image", "pose": "landmark"})


@pytest.mark.parametrize(
    ("fields", "needed"),
    [([], False), (["image"], False), (["image", "landmarks"], True), (["part_boxes"], True)],
)
def test_what_is_made_from_landmarks(fields, needed):
    assert need_landmarks(fields) is needed


def test_the_table_is_in_order(records):
    unseen = dataclasses.replace(records[0], landmarks=np.zeros((18, 3), np.float32))
    certain = np.concatenate([records[1].landmarks[:, :2], np.ones((18, 1))], axis=1)
    seen = dataclasses.replace(records[1], landmarks=certain)
    table = landmark_table([seen, unseen, seen])
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table, np.float32([seen.landmarks, unseen.landmarks, seen.landmarks]))
    assert landmark_table([]).shape == (0, 18, 3)


def test_records_without_landmarks_are_counted_and_the_first_is_named(records):
    bare = [
        dataclasses.replace(record, landmarks=None) if index % 5 == 3 else record
        for index, record in enumerate(records)
    ]
    with pytest.raises(
        InputError,
        match=r"5 of 25 images have none, the first being '.*03\.png'; `reid-tf landmarks --detector NAME` ",
    ):
        landmark_table(bare)


def test_inputs_are_named_after_the_model_and_boxes_made_where_they_lack(image_batch):
    inputs = {"picture": "image", "parts": "part_boxes", "pose": "landmarks"}
    made = as_inputs(image_batch, inputs)
    assert set(made) == set(inputs)
    assert made["picture"] is image_batch["image"]
    np.testing.assert_array_equal(made["parts"], part_boxes(image_batch["landmarks"]))
    given = tf.random.stateless_uniform([6, 3, 4], [1, 2])
    assert as_inputs({**image_batch, "part_boxes": given}, inputs)["parts"] is given
    assert set(as_inputs({"image": image_batch["image"]}, {"image": "image"})) == {"image"}
    assert set(image_batch) == {"image", "landmarks"}  # the caller's own batch is not changed


def test_mirroring_moves_all_fields_together_and_twice_is_once(image_batch):
    batch = {**image_batch, "part_boxes": part_boxes(image_batch["landmarks"])}
    changed = mirrored(batch)
    np.testing.assert_array_equal(changed["image"], batch["image"][:, :, ::-1])
    np.testing.assert_array_equal(changed["landmarks"], mirror_landmarks(batch["landmarks"]))
    # The boxes of the mirrored landmarks are the mirrored boxes.
    np.testing.assert_allclose(changed["part_boxes"], part_boxes(changed["landmarks"]), atol=1e-6)
    assert np.abs(changed["part_boxes"] - batch["part_boxes"]).max() > 0.01
    for field, value in mirrored(changed).items():
        np.testing.assert_allclose(value, batch[field], atol=1e-6)
