"""IDF1 over several cameras against TrackEval's, on boxes that jitter, overlap, are missing and are nobody's."""

from types import SimpleNamespace

import numpy as np
import pytest

from reid_tf.footage.camera import read_cameras
from reid_tf.footage.judge import judge, match, overlaps

CAMERAS, FRAMES, PEOPLE = ("door", "yard"), 30, 5


def write_boxes(path, rows):
    path.write_text(
        "".join(f"{frame},{track},{x:.2f},{y:.2f},{w:.2f},{h:.2f},1,-1,-1\n" for frame, track, x, y, w, h in rows)
    )


@pytest.fixture
def made(tmp_path):
    """Boxes and truth of two cameras; every few frames a track changes its number, and so its person."""
    generator = np.random.default_rng(3)
    (tmp_path / "truth").mkdir()
    lines, rows = ["camera,video,boxes,start,rate"], {}
    for camera in CAMERAS:
        true, found = [], []
        for person in range(1, PEOPLE + 1):
            x = generator.uniform(0, 60)
            for frame in range(1, FRAMES + 1):
                box = np.array([x + 3 * frame, 10.0, 30.0, 60.0])
                true.append((frame, person, *box))
                if generator.random() < 0.85:
                    track = 10 * person + (frame + person) // 12
                    found.append((frame, track, *(box + generator.normal(0, 4, 4))))
        found += [(frame, 999, 300.0, 10.0, 20.0, 40.0) for frame in range(1, 8)]
        write_boxes(tmp_path / "truth" / f"{camera}.txt", true)
        write_boxes(tmp_path / f"{camera}.txt", found)
        rows[camera] = (true, found)
        (tmp_path / camera).mkdir()
        lines.append(f"{camera},{camera},{camera}.txt,2026-05-01T08:00:00Z,10")
    (tmp_path / "cameras.csv").write_text("\n".join(lines) + "\n")
    tracks = sorted({(camera, row[1]) for camera in CAMERAS for row in rows[camera][1]})
    return tmp_path, rows, {key: person_of(*key) for key in tracks}


def person_of(camera, track):
    """In the yard two are taken for each other; towards the end everybody is somebody new; never one person twice."""
    person = {1: 2, 2: 1}.get(track // 10, track // 10) if camera == "yard" else track // 10
    return person + 100 * (track % 10 == 2)


def edges(boxes):
    left_top, size = np.array(boxes)[:, :2], np.array(boxes)[:, 2:]
    return np.concatenate([left_top, left_top + size], axis=1)


def people_of(persons):
    cameras, tracks = (np.array([key[side] for key in persons]) for side in (0, 1))
    tracklets = SimpleNamespace(cameras=cameras, tracks=tracks)
    return SimpleNamespace(kept=SimpleNamespace(tracklets=tracklets), persons=np.array(list(persons.values())))


def test_equals_trackeval(made):
    metrics = pytest.importorskip("trackeval.metrics")
    folder, rows, persons = made
    numbers = {person: index for index, person in enumerate(sorted(set(persons.values())))}
    true_ids, found_ids, similarities = [], [], []
    for camera in CAMERAS:
        true, found = rows[camera]
        for frame in range(1, FRAMES + 1):
            here = [[row for row in some if row[0] == frame] for some in (true, found)]
            true_ids.append(np.array([row[1] - 1 for row in here[0]]))
            found_ids.append(np.array([numbers[persons[camera, row[1]]] for row in here[1]], int))
            boxes = [edges([np.round(row[2:], 2) for row in some]) for some in here]
            similarities.append(overlaps(*boxes))
    data = {
        "gt_ids": true_ids,
        "tracker_ids": found_ids,
        "similarity_scores": similarities,
        "num_gt_ids": PEOPLE,
        "num_tracker_ids": len(numbers),
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, found_ids)),
    }
    expected = metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)["IDF1"]
    judged = judge(people_of(persons), match(read_cameras(folder / "cameras.csv"), folder / "truth"))
    assert 0.2 < expected < 0.9
    assert judged.idf1 == pytest.approx(expected, abs=1e-9)
    assert (judged.people, judged.true_people) == (len(numbers), PEOPLE)
    assert judged.purity < 1
