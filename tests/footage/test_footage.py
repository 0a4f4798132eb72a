import csv
import dataclasses
import re

import cv2
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.footage.camera import read_cameras
from reid_tf.footage.drawing import Drawing, draw
from reid_tf.footage.follow import Sampling
from reid_tf.footage.footage import forget, people_of
from reid_tf.footage.judge import judge, match
from reid_tf.footage.remember import remember
from tests.commands.made_run import plain_encoder
from tests.datasets.made_video import WALKERS
from tests.footage.conftest import mot_lines, picture

# The crops are 10 x 20 pixels, and the colours of the walkers tell them apart.
SMALL = Sampling(every=0.2, crops=3, least_height=8)


def found(people):
    tracklets = people.kept.tracklets
    rows = zip(people.persons.tolist(), tracklets.cameras, tracklets.tracks, strict=True)
    return {(str(camera), int(track)): person for person, camera, track in rows}


def test_people_across_cameras(encoder, footage, tmp_path):
    people = people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)
    persons = found(people)
    assert len(set(persons.values())) == len(WALKERS)
    for track in WALKERS:
        assert persons["door", track] == persons["yard", track]
    with (tmp_path / "out" / "people.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["person"]) for row in rows] == [1, 1, 2, 2, 3, 3, 4, 4]
    one = next(row for row in rows if (row["camera"], row["track"]) == ("yard", "4"))
    assert (one["from"], one["to"]) == ("2026-05-01T08:00:10.500+00:00", "2026-05-01T08:00:13.400+00:00")
    crop = picture(tmp_path / "out" / "crops" / one["crop"])
    assert np.abs(crop.mean(axis=(0, 1)) - WALKERS[4][0]).max() < 60
    judged = judge(people, match(read_cameras(footage), tmp_path))
    assert (judged.idf1, judged.purity, judged.people, judged.true_people) == (1.0, 1.0, 4, 4)


def test_interrupted_work_goes_on_and_new_footage_joins(encoder, footage, tmp_path, monkeypatch):
    door, yard = read_cameras(footage)
    at_once = found(people_of(encoder, [door, yard], tmp_path / "at once", SMALL, threshold=0.2))
    first = found(people_of(encoder, [door], tmp_path / "out", SMALL, threshold=0.2))
    monkeypatch.setattr("reid_tf.footage.footage.follow", lambda *given: pytest.fail(f"followed again: {given}"))
    assert found(people_of(encoder, [door], tmp_path / "out", SMALL, threshold=0.2)) == first
    monkeypatch.undo()
    both = found(people_of(encoder, [yard], tmp_path / "out", SMALL, threshold=0.2))
    assert {key: both[key] for key in first} == first
    assert len(set(zip(at_once.values(), (both[key] for key in at_once), strict=True))) == len(WALKERS)


def test_a_person_keeps_the_number(encoder, footage, tmp_path):
    """A walker who was not seen at first comes before the others in time."""
    door, yard = read_cameras(footage)
    (tmp_path / "yard.txt").write_text("".join(mot_lines([4, 9])))
    first = found(people_of(encoder, [yard], tmp_path / "out", SMALL, threshold=0.2))
    then = found(people_of(encoder, [door], tmp_path / "out", SMALL, threshold=0.2))
    assert (first["yard", 4], first["yard", 9]) == (then["door", 4], then["door", 9]) == (1, 2)
    assert {then["door", 3], then["door", 7]} == {3, 4}


def test_a_broken_frame_and_a_video_that_ends_early_stop_nothing(encoder, footage, tmp_path):
    (tmp_path / "yard" / "frames" / "town2_0004.png").write_bytes(b"no image")
    (tmp_path / "yard" / "frames" / "town2_0006.png").unlink()
    (tmp_path / "door.txt").write_text("".join([*mot_lines(), "91,3,1,1,10,20,1,-1,-1\n"]))
    people = people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)
    assert len(set(people.persons.tolist())) == len(WALKERS)
    problems = (tmp_path / "out" / "problems.csv").read_text()
    for sentence in ("town2_0004.png' .* is not a valid JPEG", "lacks frame 6 ", r"ends after 40 frames"):
        assert re.search(sentence, problems), problems


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["1,-1,0,0,10,20,1,-1,-1\n"], "must give every box its track: .* 1 of 1 boxes"),
        (["1,3,900,0,10,20,1,-1,-1\n"], "frames of another size .*, 128 x 96. Received: 1 boxes outside"),
        (["1,3\n"], "A line of a MOT file has 6 to 10 cells"),
        (["1,3,0,0,ten,20\n"], "line 1, column 'width': must be a number. Received: 'ten'"),
        (["-1,3,0,0,10,20\n"], "column 'frame': must not be negative"),
        (["1,3,0,0,10,20,0\n"], "no box of a person"),
    ],
)
def test_wrong_boxes(encoder, footage, tmp_path, lines, sentence):
    (tmp_path / "door.txt").write_text("".join(lines))
    with pytest.raises(InputError, match=sentence):
        people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)
    assert not (tmp_path / "out" / "people.csv").exists()


@pytest.mark.parametrize("first", [0, 1])
def test_frames_are_counted_from_0_or_1(footage, tmp_path, first):
    (tmp_path / "door.txt").write_text("".join(mot_lines(first=first)))
    boxes = read_cameras(footage)[0].read_boxes()
    assert (boxes.first, boxes.frames.min(), boxes.frames.max()) == (first, 0, 39)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("door,yard/frames,yard.txt,2026-05-01T08:00:10Z,10", "line 4, column 'camera': must not be there twice"),
        ("roof,yard/frames,yard.txt,2026-05-01T08:00:10,10", "column 'start': needs its zone"),
        ("roof,yard/frames,yard.txt,yesterday,10", "column 'start': must be a time such as"),
        ("roof,yard/frames,yard.txt,2026-05-01T08:00:10Z,0", "column 'rate': must be above 0"),
        ("roof,roof.avi,yard.txt,2026-05-01T08:00:10Z,10", "column 'video': must be a file or folder that exists"),
        ("../roof,yard/frames,yard.txt,2026-05-01T08:00:10Z,10", "column 'camera': must be a name of letters"),
    ],
)
def test_wrong_tables(footage, line, sentence):
    with footage.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=sentence):
        read_cameras(footage)


def test_a_clock_that_runs_backwards(encoder, footage, tmp_path):
    people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)
    footage.write_text(footage.read_text().replace("10:00:00+02:00", "10:00:02+02:00"))
    with pytest.raises(InputError, match=r"after what is known of it, 2026-05-01T10:00:03.900000\+02:00: a clock"):
        people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)


def test_other_options_need_another_folder(encoder, footage, tmp_path):
    people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)
    with pytest.raises(InputError, match="followed otherwise, with other sampling"):
        people_of(encoder, read_cameras(footage), tmp_path / "out", Sampling(), threshold=0.2)


def test_without_calibration_a_threshold_is_needed(encoder, footage, tmp_path):
    with pytest.raises(InputError, match=r"a threshold. Received: none, and threshold=None"):
        people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL)


def test_coco_says_the_size_of_its_frames(footage, tmp_path):
    images = '[{"id": 5, "frame_id": 0, "width": 640, "height": 480}]'
    boxes = '[{"image_id": 5, "bbox": [1, 2, 10, 20], "track_id": 3}]'
    (tmp_path / "door.json").write_text(f'{{"images": {images}, "annotations": {boxes}}}')
    footage.write_text(footage.read_text().replace("door.txt", "door.json"))
    boxes = read_cameras(footage)[0].read_boxes()
    assert (boxes.size, boxes.edges.tolist(), boxes.tracks.tolist()) == ((480, 640), [[1, 2, 11, 22]], [3])


def test_the_best_crops_are_kept(encoder, footage, tmp_path):
    """Walker 3 comes in over the edge: what is cut off is not among the best."""
    people = people_of(encoder, read_cameras(footage), tmp_path / "out", SMALL, threshold=0.2)
    tracks = people.kept.tracklets.tracks.tolist()
    row = tracks.index("3")
    assert len(people.kept.crops[row]) == SMALL.crops
    assert people.kept.qualities[row] == sorted(people.kept.qualities[row], reverse=True)
    assert all(cv2.imread(str(tmp_path / "out" / "crops" / name)) is not None for name in people.kept.crops[row])


def test_who_is_forgotten_stays_so(encoder, footage, tmp_path):
    out = tmp_path / "out"
    people = people_of(encoder, read_cameras(footage), out, SMALL, threshold=0.2)
    before = {path.name for path in (out / "crops").iterdir()}
    theirs = {name for row in np.flatnonzero(people.persons == 2) for name in people.kept.crops[row]}
    left = forget(out, [2])
    assert set(left.persons.tolist()) == {1, 3, 4}
    assert {path.name for path in (out / "crops").iterdir()} == before - theirs
    with (out / "people.csv").open() as file:
        assert [int(row["person"]) for row in csv.DictReader(file)] == [1, 1, 3, 3, 4, 4]
    again = people_of(encoder, read_cameras(footage), out, SMALL, threshold=0.2)
    assert set(again.persons.tolist()) == {1, 3, 4}
    with pytest.raises(InputError, match=r"has nobody of this number. Received: 2"):
        forget(out, [2])
    assert len(forget(out, [1, 3, 4]).persons) == 0


def test_crops_below_the_least_quality_are_left_out(encoder, footage, tmp_path):
    cameras = read_cameras(footage)
    grades = people_of(encoder, cameras, tmp_path / "all", SMALL, threshold=0.2).kept.qualities
    least = float(np.median(np.concatenate(grades)))
    strict = dataclasses.replace(SMALL, least_quality=least)
    kept = people_of(encoder, cameras, tmp_path / "best", strict, threshold=0.2).kept
    assert kept.qualities == [some for some in ([q for q in one if q >= least] for one in grades) if some]
    with pytest.raises(InputError, match=r"must lie in \[0, 1\). Received: 1.5"):
        Sampling(least_quality=1.5)
    with pytest.raises(InputError, match="must be at least 0. Received: nan"):
        Sampling(least_junk_score=float("nan"))


class Attributes:
    """An encoder of mean colours whose only attribute is how red a crop is."""

    def __init__(self, encoder):
        self.dim, self.calibration, self.fingerprint, self.encoder = encoder.dim, None, None, encoder

    def outputs(self, crops):
        red = np.array([[crop[..., 0].mean() / 255] for crop in crops], np.float32)
        return {"embedding": self.encoder(crops), "attributes": red}


def test_crops_below_the_least_junk_score_are_left_out(encoder, footage, tmp_path):
    least = 0.4**2
    sampling = dataclasses.replace(SMALL, least_junk_score=least)
    people = people_of(Attributes(encoder), read_cameras(footage), tmp_path / "out", sampling, threshold=0.2)
    is_red = {track for track, (colour, *_) in WALKERS.items() if colour[2] > 0.4 * 255}  # blue, green, red
    assert 0 < len(is_red) < len(WALKERS)
    assert {track for _, track in found(people)} == is_red
    assert "have no crop that is tall and good enough" in (tmp_path / "out" / "problems.csv").read_text()
    with pytest.raises(InputError, match="Unknown output of the encoder: 'attributes'"):
        people_of(plain_encoder(), read_cameras(footage), tmp_path / "other", sampling, threshold=0.2)


def test_crops_can_be_discarded(encoder, footage, tmp_path):
    out, discarding = tmp_path / "out", dataclasses.replace(SMALL, keep=False)
    expected = found(people_of(encoder, read_cameras(footage), tmp_path / "kept", SMALL, threshold=0.2))
    people = people_of(encoder, read_cameras(footage), out, discarding, threshold=0.2)
    assert found(people) == expected
    draw(people, out, Drawing())
    assert not [*out.rglob("*.jpg"), *(out / "sheets").glob("*")]
    assert "<a " not in (out / "timeline.html").read_text()
    with (out / "people.csv").open() as file:
        assert {row["crop"] for row in csv.DictReader(file)} == {""}
    assert len(set(forget(out, [2]).persons.tolist())) == len(WALKERS) - 1
    with pytest.raises(InputError, match=r"Received: 8 of 8 tracks whose crops were discarded"):
        remember(people, out, None)
