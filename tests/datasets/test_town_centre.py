import json
import logging
import shutil
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_tf.datasets.attributes.annotation_csv import write_annotations
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.doctor.check import check
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from tests.datasets.made_video import WALKERS, box_lines, colour_of, write_boxes, write_frames, write_video

SMALL = {"min_height": 12, "min_width": 8}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    root = tmp_path_factory.mktemp("video")
    write_video(root)
    return root / "TownCentreXVID.avi"


@pytest.fixture
def root(tmp_path, video):
    (tmp_path / video.name).symlink_to(video)
    write_boxes(tmp_path)
    return tmp_path


def load(root, **options):
    return load_dataset("town_centre", str(root), **(SMALL | options))


def moment(record):
    return int(Path(record.path).stem.split("_f")[1])


def names(dataset):
    return [[Path(record.path).name for record in split] for split in dataset.splits().values()]


def test_crops_show_the_right_person(root):
    dataset = load(root)
    records = [record for split in dataset.splits().values() for record in split]
    assert {record.identity for record in records} == set(WALKERS)
    assert {record.camera for record in records} == {0}
    for record in records:
        crop = cv2.imread(record.path)
        assert crop.shape[0] == 20
        assert crop.shape[1] in (8, 9, 10)  # clipped where the walker comes over the edge
        np.testing.assert_allclose(crop[3:-3, 2:-2].mean(axis=(0, 1)), colour_of(record.identity), atol=12)


def test_crops_come_from_every_fifth_frame(root):
    moments = defaultdict(set)
    for split in load(root).splits().values():
        for record in split:
            moments[record.identity].add(moment(record))
    for track, (_, _, first, last, speed) in WALKERS.items():
        # A crop is at least 8 wide from the moment on when 2 of the 4 pixels outside the frame have come in.
        frames = [number for number in range(first, last + 1) if number % 5 == 0]
        assert moments[track] == {number for number in frames if np.rint(-4 + speed * (number - first)) >= -2}


def test_tracks_split_by_number_and_then_by_time(root):
    dataset = load(root, every=1)
    assert {record.identity for record in dataset.train} == {3, 4}
    for track in (7, 9):
        query = [moment(record) for record in dataset.query if record.identity == track]
        gallery = [moment(record) for record in dataset.gallery if record.identity == track]
        assert query == sorted(query)
        assert max(query) < min(gallery)
        assert len(query) - len(gallery) in (-1, 0, 1)
    assert {record.identity for record in dataset.query} == {record.identity for record in dataset.gallery} == {7, 9}
    assert not [finding for finding in check(dataset) if finding.severity == "error"]


def test_shares(root):
    dataset = load(root, train_share=0.0, query_share=0.01)
    assert dataset.train == ()
    assert [record.identity for record in dataset.query] == [3, 4, 7, 9]  # one of each, its first
    assert load(root, train_share=0.75, query_share=0.99).gallery[0].identity == 9
    assert len(load(root, train_share=0.75, query_share=0.99).gallery) == 1


def test_frames_in_a_folder_give_the_same(root, tmp_path_factory):
    expected = names(load(root))
    for first in (0, 1):
        other = tmp_path_factory.mktemp("frames")
        write_frames(other, first)
        write_boxes(other)
        dataset = load(other)
        assert names(dataset) == expected
        np.testing.assert_allclose(
            cv2.imread(dataset.query[0].path)[5:-5, 3:-3].mean(axis=(0, 1)),
            colour_of(dataset.query[0].identity),
            atol=6,
        )


def test_crops_are_made_once(root):
    before = load(root)
    times = {path: path.stat().st_mtime_ns for path in (root / "crops").iterdir()}
    assert load(root, train_share=0.25).train != before.train  # a share needs no new crops
    assert load(root) == before
    assert {path: path.stat().st_mtime_ns for path in (root / "crops").iterdir()} == times
    assert sorted(item.name for item in root.iterdir()) == ["TownCentre-groundtruth.top", "TownCentreXVID.avi", "crops"]


def test_crops_alone_are_a_data_set(root, tmp_path_factory):
    expected = names(load(root))
    moved = tmp_path_factory.mktemp("moved")
    shutil.copytree(root / "crops", moved / "crops")
    assert names(load(moved)) == expected
    elsewhere = load(root, crops=str(moved / "more"), quality=50)
    assert names(elsewhere) == expected
    assert Path(elsewhere.train[0].path).parent == moved / "more"
    assert Path(elsewhere.train[0].path).stat().st_size < (root / "crops" / expected[0][0]).stat().st_size


def test_other_options_are_not_mixed_with_old_crops(root):
    load(root)
    with pytest.raises(
        InputError,
        match=r"crops in '.*crops' were made with every=5, min_height=12, not with every=4, min_height=10: delete",
    ):
        load(root, every=4, min_height=10)
    write_boxes(root, box_lines()[:-1])
    with pytest.raises(InputError, match=r"were made with boxes='TownCentre-groundtruth.top, SHA-256 .*, not with"):
        load(root)
    write_boxes(root)
    next((root / "crops").glob("0007*")).unlink()
    with pytest.raises(InputError, match=r"holds \d+ of \d+ crops: delete it"):
        load(root)
    (root / "crops" / "crops.json").write_text("{}")
    with pytest.raises(InputError, match=r"crops.json' is damaged \(KeyError\('every'\)\): delete the folder"):
        load(root)


def test_boxes_that_are_left_out_are_counted(root, caplog):
    lines = box_lines()
    lines += [
        lines[0],  # 3 in frame 0 again
        "4,5,1,1,0,0,5,5,30,4,40,24\n",  # 4 in frame 5 elsewhere
        "4,0,1,1,0,0,5,5,30,90,20,40\n",  # right before left, bottom above top
        "9,5,1,1,0,0,5,5,500,0,600,90\n",  # outside the frame
        "9,0,1,0,0,0,5,5,30,40,50,80\n",  # no valid body
        "11,0,1,1,0,0,5,5,30.4,40.6,40.4,60.6\n",
    ]
    write_boxes(root, lines)
    with caplog.at_level(logging.INFO):
        dataset = load(root)
    # Coming in, 3 and 7 are too narrow in frame 0, 4 in frame 5, and 9 in frame 10.
    assert "left out: 6 boxes outside the frame or below 12 x 8 pixels, 2 boxes repeated in a frame." in caplog.text
    assert "Dropped 1 test track of one crop" in caplog.text
    assert {record.identity for record in dataset.query} == {7, 9}
    assert len(list((root / "crops").glob("0011*"))) == 1
    assert json.loads((root / "crops" / "crops.json").read_text())["crops"] == len(list((root / "crops").glob("*.jpg")))


def test_attributes_by_track(root, tmp_path_factory):
    answers = {track: (track % 2,) * 12 for track in WALKERS}
    write_annotations(root / "attributes.csv", {str(track): answers[track] for track in WALKERS})
    dataset = load(root)
    assert dataset.attribute_schema is MARKET1501_SCHEMA
    for record in (*dataset.train, *dataset.query, *dataset.gallery):
        assert record.attributes == answers[record.identity]
    other = tmp_path_factory.mktemp("other") / "a.csv"
    write_annotations(other, {"3": answers[3], "7": answers[7]})
    with pytest.raises(InputError, match=r"'.*a.csv' has no attributes for 2 identities of the images: 4, 9"):
        load(root, attributes=str(other))
    (root / "attributes.csv").unlink()
    assert load(root).attribute_schema is None


def test_landmarks_by_crop(root):
    name = names(load(root))[0][0]
    write_landmarks(root / "landmarks.npz", {f"crops/{name}": np.zeros((18, 3))})
    assert load(root).train[0].landmarks.shape == (18, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "'every' .* must be at least 1. Received: 0"),
        ({"quality": 101}, "quality must be at most 100. Received: quality=101"),
        ({"train_share": 1.0}, "train_share must be at least 0 and less than 1. Received: train_share=1.0"),
        ({"query_share": 0.0}, "query_share must be between 0 and 1, both excluded. Received: query_share=0.0"),
        ({"train_share": 0.9}, r"must leave at least one track .*: 4 of 4 tracks train. Received: train_share=0.9"),
        ({"min_height": 21}, "No crop is left: all 26 boxes are outside the frame or below 21 x 8 pixels"),
    ],
)
def test_wrong_options_are_refused(root, options, message):
    with pytest.raises(InputError, match=message):
        load(root, **options)


def test_what_is_missing_is_named(root):
    (root / "second.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"must hold one video. Received: .*TownCentreXVID.avi, second.mp4"):
        load(root)
    (root / "second.mp4").unlink()
    (root / "TownCentreXVID.avi").unlink()
    with pytest.raises(
        InputError,
        match=r"needs TownCentre-groundtruth.top and one video .* folder 'frames'; found in '.*': TownCentre-g",
    ):
        load(root)
    with pytest.raises(InputError, match=r"'town_centre' needs the folder that holds it: --data ROOT. Received: None"):
        load_dataset("town_centre")


def test_a_folder_of_something_else_is_not_overwritten(root):
    (root / "crops").mkdir()
    (root / "crops" / "mine.txt").write_text("")
    with pytest.raises(InputError, match=r"Crops need a new or empty folder.*crops' holds mine.txt"):
        load(root)
    assert (root / "crops" / "mine.txt").exists()


def test_nothing_is_left_of_an_extraction_that_fails(root):
    (root / "TownCentreXVID.avi").unlink()
    write_video(root, frames=22)
    with pytest.raises(InputError, match=r"video '.*avi' ends after 22 frames, but frames up to 35 \(counted from 0\)"):
        load(root)
    assert sorted(item.name for item in root.iterdir()) == ["TownCentre-groundtruth.top", "TownCentreXVID.avi"]
