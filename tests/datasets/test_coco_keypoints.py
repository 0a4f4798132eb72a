"""People cut out of COCO: their landmarks against the pixels, who is left out, a training, and what is no COCO file."""

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_tf.config import load_config, parse_config
from reid_tf.datasets.joint_orders import JOINTS, LEFT_SHOULDER, NECK, RIGHT_SHOULDER
from reid_tf.datasets.landmarks import read_detector
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from reid_tf.training.train import train
from tests.datasets.made_coco import HEIGHT, WIDTH, person, write_coco, write_split

SMALL = {"min_height": 40, "min_width": 16}
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "cpm_coco.yaml"
BOX = (60.0, 20.0, 40.0, 90.0)


def load(root, **options):
    return load_dataset("coco_keypoints", str(root), **(SMALL | options))


def one_person(root, *people, **options):
    """The first training record of a data set of these people."""
    write_split(root, "train2017", [*people])
    write_split(root, "val2017", [person(0, BOX), person(1, BOX)])
    return load(root, **options).train[0]


def test_everybody_is_somebody_else(tmp_path):
    write_coco(tmp_path)
    dataset = load(tmp_path)
    splits = dataset.splits()
    assert {split: len(records) for split, records in splits.items()} == {
        "train": 6,
        "query": 2,
        "gallery": 2,
        "multi_query": 0,
    }
    records = [record for split in splits.values() for record in split]
    assert len({record.identity for record in records}) == 10
    assert len({record.path for record in records}) == 10
    assert {record.camera for record in records} == {0}
    assert [Path(record.path).name for record in dataset.train[:2]] == [
        "000000000000_000000.jpg",
        "000000000000_000001.jpg",
    ]


@pytest.mark.parametrize("options", [{}, {"aspect": None}, {"margin": 0.0}, {"aspect": 1.5, "margin": 0.3}])
def test_landmarks_are_where_the_dots_are(tmp_path, options):
    record = one_person(tmp_path, person(0, BOX), quality=100, **options)
    crop = cv2.imread(record.path)
    height, width = crop.shape[:2]
    labelled = [index for index in range(len(JOINTS)) if index != NECK]
    places = (record.landmarks[labelled, :2] * [width, height]).astype(int)
    assert all(crop[y, x].min() > 200 for x, y in places)
    assert (crop.mean(axis=2) > 150).sum() == len(labelled)
    np.testing.assert_array_equal(record.landmarks[:, 2], 1.0)


def test_left_and_right_are_the_persons_own(tmp_path):
    landmarks = one_person(tmp_path, person(0, BOX)).landmarks
    assert landmarks[RIGHT_SHOULDER, 0] < landmarks[LEFT_SHOULDER, 0]  # who faces us
    np.testing.assert_allclose(landmarks[NECK, :2], landmarks[[RIGHT_SHOULDER, LEFT_SHOULDER], :2].mean(0), atol=1e-6)


def test_the_shape_of_a_crop(tmp_path):
    for number, (options, shape) in enumerate(
        [
            ({"margin": 0.0, "aspect": None}, (60, 40)),
            ({"margin": 0.1, "aspect": None}, (72, 48)),
            ({"margin": 0.0, "aspect": 0.5}, (80, 40)),
            ({"margin": 0.0, "aspect": 1.0}, (60, 60)),
            ({"margin": 1.0, "aspect": None}, (HEIGHT, 120)),  # as far as the image goes
        ]
    ):
        root = tmp_path / str(number)
        root.mkdir()
        record = one_person(root, person(0, (60, 30, 40, 60)), **options)
        assert cv2.imread(record.path).shape[:2] == shape, options


def test_what_is_not_seen_has_less_confidence(tmp_path):
    left_shoulder, left_ankle, nose = 5, 15, 0  # in COCO's order
    shown = person(0, BOX, hidden=[nose], unlabelled=[left_shoulder, left_ankle])
    landmarks = one_person(tmp_path, shown).landmarks
    confidence = dict(zip(JOINTS, landmarks[:, 2].tolist(), strict=True))
    assert confidence.pop("nose") == 0.5
    assert [confidence.pop(joint) for joint in ("left_shoulder", "left_ankle", "neck")] == [0, 0, 0]
    assert set(confidence.values()) == {1.0}
    assert landmarks.min() >= 0.0


def test_a_point_outside_of_the_crop_is_not_seen(tmp_path):
    raised = person(0, BOX)
    raised["keypoints"][3 * 9 : 3 * 9 + 2] = [150, 5]  # the left wrist
    landmarks = one_person(tmp_path, raised, margin=0.0).landmarks
    assert landmarks[JOINTS.index("left_wrist"), 2] == 0.0


def test_who_is_left_out_is_counted(tmp_path, caplog):
    people = [
        person(0, BOX),
        person(0, (5, 5, 100, 100), iscrowd=1),
        person(0, (5, 5, 15, 60)),
        person(1, (5, 5, 30, 39)),
        person(1, BOX, unlabelled=range(8, 17)),
        person(1, BOX, unlabelled=range(7, 17)),
    ]
    with caplog.at_level(logging.INFO):
        record = one_person(tmp_path, *people)
    assert Path(record.path).name == "000000000000_000000.jpg"
    assert len(load(tmp_path).train) == 2
    assert (
        "2 people of train2017; left out: 1 crowd, 2 below 40 x 16 pixels, 1 with fewer than 8 keypoints" in caplog.text
    )
    assert "2 people of val2017; left out: 0 crowds, 0 below" in caplog.text


def test_crops_are_cut_once(tmp_path):
    write_coco(tmp_path)
    first = load(tmp_path)
    for split in ("train2017", "val2017"):
        for image in (tmp_path / split).iterdir():
            image.unlink()
        (tmp_path / "annotations" / f"person_keypoints_{split}.json").unlink()
    again = load(tmp_path)
    for old, new in zip(first.train + first.gallery, again.train + again.gallery, strict=True):
        assert (old.path, old.identity) == (new.path, new.identity)
        np.testing.assert_array_equal(old.landmarks, new.landmarks)
    assert read_detector(tmp_path / "crops" / "keypoints.npz") == {"name": "coco_keypoints"}
    assert again.root == str(tmp_path / "crops")
    with pytest.raises(InputError, match=r"were made with margin=0\.1, not with margin=0\.2: delete that folder, or "):
        load(tmp_path, margin=0.2)
    Path(again.train[0].path).unlink()
    with pytest.raises(InputError, match="holds 9 of 10 crops: delete it"):
        load(tmp_path)


def test_after_an_error_there_is_no_folder(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "val2017" / "000000000001.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"000000000001\.png' \(8 bytes\) is not a valid JPEG"):
        load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations", "train2017", "val2017"]


def test_missing_images_are_counted(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "train2017" / "000000000001.png").unlink()
    with pytest.raises(
        InputError, match=r"train2017' lacks 1 of the 2 images with people, the first being '0+1\.png'\."
    ):
        load(tmp_path)


def change(root, content):
    (root / "annotations" / "person_keypoints_val2017.json").write_text(content)


def without_keypoints(content):
    for annotation in content["annotations"]:
        del annotation["keypoints"]
    return content


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            without_keypoints,
            r"None of the 4 annotations in '.*val2017\.json' has keypoints, .*instances_\*\.json; those",
        ),
        (lambda content: [1, 2], r"is not a COCO keypoint file, with `images` \(id, file_name\) and"),
        (lambda content: {"info": 1}, r"is not a COCO keypoint file.*KeyError\('images'\)"),
        (lambda content: content | {"images": [{"id": 0}, {"id": 1}]}, r"4 images have no file_name"),
        (lambda content: content | {"annotations": []}, r"No person of '.*' is left of 0 annotated ones; left out: 0 "),
        (
            lambda content: content | {"annotations": [person(0, (5, 5, 10, 10))]},
            r"is left of 1 annotated ones; left out: 0 crowds, 1 below 40 x 16 pixels, 0 with fewer than 8 keypoints\.",
        ),
        (
            lambda content: content | {"annotations": [person(0, BOX, keypoints=[1, 2])]},
            r"keypoints must be 51 numbers .*Received: \[1, 2\]",
        ),
        (
            lambda content: content | {"annotations": [person(0, BOX, bbox=[1, 2])]},
            r"bbox must be 4 numbers .*Received: \[1, 2\]",
        ),
        (
            lambda content: content | {"annotations": [person(0, (WIDTH + 30, 20, 40, 90))]},
            r"The person number 0 lies outside of the image '.*0000\.png', in the box ",
        ),
    ],
)
def test_another_file_is_named(tmp_path, made, message):
    write_coco(tmp_path)
    content = json.loads((tmp_path / "annotations" / "person_keypoints_val2017.json").read_text())
    change(tmp_path, json.dumps(made(content)))
    with pytest.raises(InputError, match=message):
        load(tmp_path)
    assert not (tmp_path / "crops").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": -0.1}, r"margin must be at least 0\. Received: margin=-0\.1"),
        ({"aspect": 0.0}, r"aspect must be above 0, or null\. Received: aspect=0\.0"),
        ({"min_keypoints": 18}, "min_keypoints must be at most 17. Received: min_keypoints=18"),
        ({"min_keypoints": 0}, "min_keypoints must be at least 1. Received: min_keypoints=0"),
        ({"min_height": 0}, "min_height must be at least 1. Received: min_height=0"),
        ({"quality": 101}, "quality must be at most 100. Received: quality=101"),
        ({"test": "train2017"}, "must be two splits. Received: train='train2017', test='train2017'"),
        ({"train": "train2014"}, r"person_keypoints_train2014\.json' cannot be read: No such file"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, message):
    write_coco(tmp_path)
    with pytest.raises(InputError, match=message):
        load(tmp_path, **options)


def test_a_pose_machine_trains_two_steps(tmp_path):
    write_coco(tmp_path)
    config = parse_config(
        {
            "dataset": {"name": "coco_keypoints", "root": str(tmp_path), **SMALL},
            "image_size": [64, 32],
            "augment": [{"name": "flip"}],
            "batches": {"name": "images", "batch_size": 3},
            "backbone": {"name": "vgg_front", "stackwise_num_convolutions": [1, 1], "stackwise_channels": [4, 4]},
            "model": {"name": "cpm", "stages": 2, "width": 4, "refinement_convolutions": 1},
            "optimizer": {"name": "adam", "learning_rate": 0.001},
            "schedule": {"name": "step"},
            "epochs": 1,
        }
    )
    result = train(config, tmp_path / "run")
    assert np.isfinite(result.history[0]["loss"])
    metrics = result.metrics["trained_detector"]
    assert (metrics["images"], metrics["skipped_images"]) == (4, 0)


def test_the_shipped_experiment_is_the_published_machine():
    config = load_config(CONFIG)
    assert config.dataset["name"] == "coco_keypoints"
    assert (config.backbone, config.model["name"]) == ({"name": "vgg_front"}, "cpm")
