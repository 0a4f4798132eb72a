import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.datasets.record import ReIDDataset, class_of_identity
from reid_tf.errors import InputError
from reid_tf.pipeline.build import build_batches, evaluation_batches, input_batches
from reid_tf.pipeline.decode import load_images, naming_broken_images
from reid_tf.pose.mirror import mirror_landmarks
from reid_tf.pose.part_boxes import part_boxes
from reid_tf.registry import AUGMENTATIONS, SAMPLERS
from tests.pipeline.made_images import SCHEMA

SIZE = (32, 16)
AUGMENT = ("flip", "random_crop", "random_erasing", "colour_jitter")
COMPONENTS = {
    "images": {"name": "images", "batch_size": 8},
    "pairs": {"name": "pairs", "batch_size": 8},
    "identities": {"name": "identities", "identities_per_batch": 4, "images_per_identity": 2},
    "identity_pairs": {"name": "identity_pairs", "identities_per_batch": 4, "images_per_identity": 4},
}


def make_sampler(records, name):
    return SAMPLERS.build(
        COMPONENTS[name],
        identities=[record.identity for record in records],
        cameras=[record.camera for record in records],
        epochs=3,
        seed=1,
        replicas=1,
    )


def build(records, name="pairs", augment=AUGMENT, **options):
    options = {
        "image_size": SIZE,
        "inputs": {"image": "image"},
        "targets": {"who": "identity"},
        "seed": 5,
        "attribute_schema": SCHEMA,
        "augment": [AUGMENTATIONS.build({"name": op}, image_size=SIZE) for op in augment],
        **options,
    }
    return build_batches(records, class_of_identity(records), make_sampler(records, name), **options)


def take(dataset, count):
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def assert_same(ours, others):
    for batch, other in zip(ours, others, strict=True):
        for part, other_part in zip(batch, other, strict=True):
            assert set(part) == set(other_part)
            for key, value in part.items():
                np.testing.assert_array_equal(value, other_part[key])


@pytest.mark.parametrize("name", COMPONENTS)
def test_batches_hold_the_samplers_images_and_their_labels(records, name):
    images, sampler = load_images([record.path for record in records], SIZE), make_sampler(records, name)
    labels = {"who": "identity", "wears": "attributes", "wears_binary": "binary_attributes"}
    if sampler.kind == "pairs":
        labels |= {"first": "identity_a", "second": "identity_b", "verification": "verification"}
    inputs = {"image": "image", "pose": "landmarks"}
    dataset = build(records, name, augment=(), inputs=inputs, targets=labels)
    identity = np.array([record.identity // 10 for record in records])
    attributes = np.array([record.attributes or (-1, -1) for record in records])
    indices = [batch for epoch in range(2) for batch in sampler.epoch(epoch)]  # on from one epoch into the next
    for (features, targets), chosen in zip(take(dataset, len(indices)), indices, strict=True):
        sides = {"": chosen} if sampler.kind == "images" else {"_a": chosen[:, 0], "_b": chosen[:, 1]}
        assert set(features) == {f"{key}{side}" for key in inputs for side in sides}
        for side, of_side in sides.items():
            np.testing.assert_array_equal(features[f"image{side}"], images[of_side])
            np.testing.assert_array_equal(features[f"pose{side}"], [records[i].landmarks for i in of_side])
        np.testing.assert_array_equal(targets["who"], identity[chosen])
        np.testing.assert_array_equal(targets["wears"], attributes[chosen])
        binary = np.array([SCHEMA.to_binary(row) for row in attributes])
        np.testing.assert_array_equal(targets["wears_binary"], binary[chosen])
        assert all(value.dtype == np.int32 for value in targets.values())
        if sampler.kind == "pairs":
            np.testing.assert_array_equal(targets["first"], identity[chosen[:, 0]])
            np.testing.assert_array_equal(targets["second"], identity[chosen[:, 1]])
            np.testing.assert_array_equal(targets["verification"], identity[chosen[:, 0]] != identity[chosen[:, 1]])


WITH_PARTS = {"image": "image", "pose": "landmarks", "boxes": "part_boxes"}


@pytest.mark.parametrize("name", ["images", "identity_pairs"])
def test_part_boxes_are_those_of_the_moved_landmarks(records, name, caplog):
    caplog.set_level("INFO")
    augment = ("flip", "random_crop", "random_rotation")
    sides = [""] if name == "images" else ["_a", "_b"]
    plain = take(build(records, name, augment=(), inputs=WITH_PARTS), 3)
    moved = take(build(records, name, augment=augment, inputs=WITH_PARTS), 3)
    for (features, _), (before, _) in zip(moved, plain, strict=True):
        assert set(features) == {f"{key}{side}" for key in WITH_PARTS for side in sides}
        for side in sides:
            boxes = features[f"boxes{side}"]
            assert (boxes.shape[1:], boxes.dtype) == ((3, 4), np.float32)
            np.testing.assert_allclose(boxes, part_boxes(features[f"pose{side}"]), atol=1e-6)
            assert not np.allclose(boxes, before[f"boxes{side}"], atol=0.01)
    assert f"of {len(records)} images" in caplog.text


def test_a_flip_of_every_image_mirrors_what_goes_with_it(records):
    targets = {"who": "identity", "maps": "landmarks", "embedding": "identity_and_pose"}
    flip = [AUGMENTATIONS.build({"name": "flip", "probability": 1.0}, image_size=SIZE)]
    sampler = make_sampler(records, "identities")
    dataset = build(records, "identities", augment=(), inputs=WITH_PARTS, targets=targets)
    flipped = build_batches(
        records, class_of_identity(records), sampler,
        image_size=SIZE, inputs=WITH_PARTS, targets=targets, seed=5, augment=flip,
    )  # fmt: skip
    steps = len(sampler)
    for (features, labels), (before, labels_before), chosen in zip(
        take(flipped, steps), take(dataset, steps), sampler.epoch(0), strict=True
    ):
        own = np.stack([records[index].landmarks for index in chosen])
        np.testing.assert_array_equal(labels_before["maps"], own)
        mirrored = own[:, [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]]  # right and left joints
        mirrored[..., 0] = 1 - mirrored[..., 0]
        np.testing.assert_array_equal(features["image"], before["image"][:, :, ::-1])
        for landmarks in (features["pose"], labels["maps"], labels["embedding"][:, 1:].reshape(-1, 18, 3)):
            np.testing.assert_array_equal(landmarks, mirrored)
        np.testing.assert_array_equal(labels["embedding"][:, 0], labels["who"])
        assert (labels["embedding"].shape[1], labels["embedding"].dtype) == (55, np.float32)
        left, top, right, bottom = np.moveaxis(before["boxes"], -1, 0)
        expected = np.stack([1 - right, top, 1 - left, bottom], axis=-1)
        np.testing.assert_allclose(features["boxes"], expected, atol=1e-6)


@pytest.mark.parametrize("label", ["landmarks", "identity_and_pose"])
def test_labels_follow_the_landmarks_through_every_augmentation(records, label):
    """The landmarks of the inputs and those of the labels are the same, also where no input wants them."""
    augment = ("random_crop", "flip", "random_rotation", "random_erasing")
    inputs = {"image": "image", "pose": "landmarks"}
    both = take(build(records, "images", augment=augment, inputs=inputs, targets={"out": label}), 4)
    alone = take(build(records, "images", augment=augment, targets={"out": label}), 4)
    for (features, labels), (_, other) in zip(both, alone, strict=True):
        np.testing.assert_array_equal(
            labels["out"].reshape(len(labels["out"]), -1)[:, -54:].ravel(), features["pose"].ravel()
        )
        np.testing.assert_array_equal(labels["out"], other["out"])


def test_the_stream_is_endless_and_its_shapes_are_static_but_for_the_batch(records):
    dataset = build(records, inputs={"image": "image", "pose": "landmarks"}, targets={"same": "verification"})
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    features, targets = dataset.element_spec
    assert features == {
        **{f"image_{side}": tf.TensorSpec([None, *SIZE, 3], tf.float32) for side in "ab"},
        **{f"pose_{side}": tf.TensorSpec([None, 18, 3], tf.float32) for side in "ab"},
    }
    assert targets == {"same": tf.TensorSpec([None], tf.int32)}
    assert [len(targets["same"]) for _, targets in take(dataset, 8)] == [8, 8, 4, 5] * 2


@pytest.mark.parametrize("name", ["images", "identity_pairs"])
def test_two_builds_give_the_same_pixels(records, name):
    inputs = {"image": "image", "pose": "landmarks"}
    first, again, other = (take(build(records, name, inputs=inputs, seed=seed), 6) for seed in (5, 5, 6))
    assert_same(first, again)
    for (batch, _), (other_batch, _) in zip(first, other, strict=True):
        assert all(not np.array_equal(batch[key], other_batch[key]) for key in batch)


def test_every_cache_and_the_prepared_form_give_the_same_pixels(records, tmp_path, caplog):
    caplog.set_level("INFO")
    load_size = (36, 18)
    plain = take(build(records, load_size=load_size), 6)
    for cache in ("encoded", "decoded"):
        assert_same(plain, take(build(records, load_size=load_size, cache=cache), 6))
    assert f"25 decoded images stay in memory: {25 * 36 * 18 * 3 / 1e6:.1f} MB." in caplog.text
    assert "25 encoded images stay in memory" in caplog.text
    prepare(ReIDDataset("made", records, (), (), SCHEMA), tmp_path / "prepared")
    stored = load_dataset("prepared", str(tmp_path / "prepared")).train
    for cache in ("none", "encoded", "decoded"):
        assert_same(plain, take(build(stored, load_size=load_size, cache=cache), 6))


def test_a_resumed_stream_goes_on_where_it_would_have_been(records):
    straight = take(build(records), 12)
    assert_same(take(build(records, first_epoch=2), 4), straight[8:])
    short = take(build(records, steps_per_epoch=3), 9)
    assert_same(short, [straight[step] for step in (0, 1, 2, 4, 5, 6, 8, 9, 10)])
    assert_same(take(build(records, steps_per_epoch=3, first_epoch=1), 6), short[3:])


def test_the_images_of_a_pair_are_augmented_each_by_itself(records):
    same_image = [dataclasses.replace(records[0], identity=index // 2) for index in range(8)]
    features, _ = take(build(same_image), 1)[0]
    every = np.concatenate([features["image_a"], features["image_b"]])
    assert len(np.unique(every, axis=0)) == len(every)


def test_augmentation_changes_from_step_to_step(records):
    same_image = [dataclasses.replace(records[0], identity=index // 2) for index in range(8)]
    batches = take(build(same_image, augment=["random_erasing"]), 3)
    assert not np.array_equal(batches[0][0]["image_a"], batches[1][0]["image_a"])
    assert not np.array_equal(batches[1][0]["image_a"], batches[2][0]["image_a"])


def test_evaluation_batches_are_the_images_in_order(records):
    dataset = evaluation_batches(records, SIZE, 10)
    assert dataset.cardinality() == 3
    assert dataset.element_spec == tf.TensorSpec([None, *SIZE, 3], tf.uint8)
    batches = list(dataset.as_numpy_iterator())
    assert [len(batch) for batch in batches] == [10, 10, 5]
    np.testing.assert_array_equal(np.concatenate(batches), load_images([record.path for record in records], SIZE))


def test_input_batches_hold_what_an_encoder_takes_in_order(records):
    dataset = input_batches(records, WITH_PARTS, SIZE, 10)
    assert dataset.cardinality() == 3
    assert dataset.element_spec == {
        "image": tf.TensorSpec([None, *SIZE, 3], tf.uint8),
        "pose": tf.TensorSpec([None, 18, 3], tf.float32),
        "boxes": tf.TensorSpec([None, 3, 4], tf.float32),
    }
    batches = list(dataset.as_numpy_iterator())
    assert [len(batch[key]) for batch in batches for key in WITH_PARTS] == [10] * 6 + [5] * 3
    together = {key: np.concatenate([batch[key] for batch in batches]) for key in WITH_PARTS}
    landmarks = np.stack([record.landmarks for record in records])
    np.testing.assert_array_equal(together["image"], load_images([record.path for record in records], SIZE))
    np.testing.assert_array_equal(together["pose"], landmarks)
    np.testing.assert_allclose(together["boxes"], part_boxes(landmarks), atol=1e-6)


def test_mirrored_input_batches_are_those_of_mirrored_files_and_landmarks(records, tmp_path):
    others = []
    for record in records:
        path = tmp_path / Path(record.path).name
        cv2.imwrite(str(path), cv2.imread(record.path)[:, ::-1])
        landmarks = mirror_landmarks(record.landmarks[np.newaxis])[0]
        others.append(dataclasses.replace(record, path=str(path), landmarks=landmarks))
    mirrored = input_batches(records, WITH_PARTS, SIZE, 10, mirror=True).as_numpy_iterator()
    for batch, expected in zip(mirrored, input_batches(others, WITH_PARTS, SIZE, 10).as_numpy_iterator(), strict=True):
        # Resizing is symmetric but for the last rounding.
        np.testing.assert_allclose(batch["image"], expected["image"].astype(np.float32), atol=1)
        np.testing.assert_array_equal(batch["pose"], expected["pose"])
        np.testing.assert_allclose(batch["boxes"], expected["boxes"], atol=1e-6)


def test_inputs_of_images_alone_need_no_landmarks(records):
    bare = [dataclasses.replace(record, landmarks=None) for record in records]
    (batch,) = input_batches(bare, {"image": "image"}, SIZE, 25).as_numpy_iterator()
    assert set(batch) == {"image"}
    with pytest.raises(InputError, match=r"25 of 25 images have none, .*00\.png'; `reid-tf landmarks"):
        input_batches(bare, {"image": "image", "part_boxes": "part_boxes"}, SIZE, 25)
    with pytest.raises(InputError, match="field of the input 'parts': 'part_box'. Did you mean 'part_boxes'"):
        input_batches(records, {"parts": "part_box"}, SIZE, 25)
    with pytest.raises(InputError, match=r"at least 1\. Received: batch_size=0"):
        input_batches(records, WITH_PARTS, SIZE, 0)


@pytest.mark.parametrize("cache", ["none", "encoded", "decoded"])
def test_a_broken_training_image_is_named(records, cache, tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"nothing")
    some = (*records[:6], dataclasses.replace(records[6], path=str(path)), *records[7:])
    with pytest.raises(InputError, match=r"broken\.jpg"), naming_broken_images(record.path for record in some):
        take(build(some, "images", cache=cache), 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"targets": {"out": "identitty"}},
            "'identitty'. Did you mean 'identity'.*attributes, binary_attributes, identity, .*verification",
        ),
        ({"name": "images", "targets": {"out": "verification"}}, "on images: 'verification'"),
        ({"inputs": {"image": "imgae"}}, "input 'image': 'imgae'. Did you mean 'image'.*image, landmarks, part_boxes"),
        ({"targets": {"out": "identity_and_pose"}}, "on pairs: 'identity_and_pose'"),
        ({"image_size": (64, 32), "load_size": SIZE}, r"are \(32, 16\) after augmentation, .* takes \(64, 32\)"),
        ({"image_size": (64, 32), "load_size": (66, 34), "augment": ()}, r"\(66, 34\) after augmentation"),
        ({"steps_per_epoch": 5}, r"between 1 and the sampler's 4 batches\. Received: 5"),
        ({"steps_per_epoch": 0}, r"Received: 0"),
        ({"targets": {"out": "attributes"}, "attribute_schema": None}, "attribute_schema=None"),
    ],
)
def test_what_does_not_exist_is_refused_before_an_image_is_read(records, options, message):
    missing = [dataclasses.replace(record, path="missing.jpg") for record in records]
    with pytest.raises(InputError, match=message):
        build(missing, **options)


def test_records_that_lack_something_are_named(records):
    bare = [*records[:-1], dataclasses.replace(records[-1], landmarks=None, attributes=(1,))]
    message = r"1 of 25 images have none, the first being '.*24\.png'; `reid-tf landmarks --detector NAME`"
    for name, wanting in (
        ("pairs", {"inputs": {"pose": "landmarks"}}),
        ("pairs", {"inputs": {"boxes": "part_boxes"}}),
        ("images", {"targets": {"maps": "landmarks"}}),
        ("images", {"targets": {"embedding": "identity_and_pose"}}),
    ):
        with pytest.raises(InputError, match=message):
            build(bare, name, **wanting)
    with pytest.raises(InputError, match=r"24\.png' has 1 attributes; the schema has 2 groups"):
        build(bare, targets={"out": "attributes"})
    with pytest.raises(InputError, match=r"identity 60 of '.*24\.png' is not among the 6 classes"):
        build_batches(
            records, class_of_identity(records[:-1]), make_sampler(records, "images"),
            image_size=SIZE, inputs={"image": "image"}, targets={"out": "identity"}, seed=1,
        )  # fmt: skip
    with pytest.raises(InputError, match=r"at least 1\. Received: batch_size=0"):
        evaluation_batches(records, SIZE, 0)


REPLICAS = """
import sys, numpy as np, tensorflow as tf
sys.path.insert(0, {folder!r})
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
from tests.pipeline.test_build import build
from reid_tf.datasets.record import Record
records = [Record(path, index // 4, 1 + index % 3) for index, path in enumerate({paths!r})]
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for name in ("pairs", "identity_pairs"):
    dataset = build(records, name, attribute_schema=None, epochs=2)
    shared = iter(strategy.experimental_distribute_dataset(dataset))
    for features, targets in dataset:
        parts, target_parts = next(shared)
        for whole, split in ((features["image_b"], parts["image_b"]), (targets["who"], target_parts["who"])):
            halves = strategy.experimental_local_results(split)
            assert abs(len(halves[0]) - len(halves[1])) <= 1
            np.testing.assert_array_equal(np.concatenate(halves), whole)
"""


@pytest.mark.slow
def test_replicas_share_a_batch_in_halves(records):
    script = REPLICAS.format(folder=str(Path(__file__).resolve().parents[2]), paths=[record.path for record in records])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "shard" not in done.stderr.lower()  # no warning about a policy


def test_a_stream_of_known_length_ends_and_equals_the_endless_one(records):
    ending = build(records, first_epoch=1, epochs=3)
    batches = list(ending.as_numpy_iterator())
    assert len(batches) == ending.cardinality() == 2 * len(make_sampler(records, "pairs"))
    assert_same(batches, take(build(records, first_epoch=1), len(batches)))
