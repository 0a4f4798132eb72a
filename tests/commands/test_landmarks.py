import re

import cv2
import numpy as np
import pytest

from reid_tf.datasets.joint_orders import JOINTS
from reid_tf.datasets.landmarks import LANDMARKS_FILE, read_detector, read_landmarks, write_landmarks
from reid_tf.registry import DETECTORS

NAMES = ("a.png", "b.png", "c/d.png")


class Dots:
    """A detector of which a test can see the calls, and that breaks off after so many images."""

    image_size = (8, 4)

    def __init__(self, place, breaks_after=None):
        self.description = {"name": "dots", "place": place}
        self.place, self.breaks_after, self.seen = place, breaks_after, []

    def __call__(self, images, paths):
        assert images.shape == (len(paths), 8, 4, 3)
        for path in paths:
            if len(self.seen) == self.breaks_after:
                raise KeyboardInterrupt
            self.seen.append(path)
        return np.full((len(paths), 18, 3), self.place, np.float32)


@pytest.fixture
def dots(monkeypatch):
    """Registers the detector `dots`; its last instance stands in the list."""
    made = []

    def make(*, place: float = 0.5, breaks_after: int | None = None):
        """Makes one."""
        made.append(Dots(place, breaks_after))
        return made[-1]

    DETECTORS.names()
    monkeypatch.setitem(DETECTORS._functions, "dots", make)
    return made


@pytest.fixture
def images(tmp_path):
    """Three images in a folder with a subfolder, and a table that makes them a data set."""
    folder = tmp_path / "images"
    (folder / "c").mkdir(parents=True)
    for index, name in enumerate(NAMES):
        cv2.imwrite(str(folder / name), np.full((32, 16, 3), 60 * index, np.uint8))
    splits = zip(NAMES, ("train", "query", "gallery"), strict=True)
    rows = [f"{name},{index},1,{split}" for index, (name, split) in enumerate(splits)]
    (folder / "records.csv").write_text("\n".join(["path,identity,camera,split", *rows]) + "\n")
    return folder


def sources(folder):
    return (
        ("--images", folder),
        ("--images", folder / "records.csv"),
        ("--dataset", "csv_table", "--data", folder),
    )


@pytest.mark.parametrize("source", range(3))
def test_landmarks_are_found_once_and_kept_beside_the_images(run, dots, images, source):
    arguments = ("--detector", "dots", "--detector-option", "place=0.25", *sources(images)[source])
    first = run("landmarks", *arguments)
    assert first.returncode == 0
    found = read_landmarks(images / LANDMARKS_FILE)
    assert sorted(found) == sorted(NAMES)
    assert (found["c/d.png"] == 0.25).all()
    assert read_detector(images / LANDMARKS_FILE) == {"name": "dots", "place": 0.25}
    assert all(joint.replace("_", " ") in first.stdout for joint in JOINTS)
    assert first.stdout.count(" 0.25\n") == 18
    # All in one place: there is no extent to make a box of.
    assert "the pre-defined region for 3 heads, 3 trunks and 3 lower limbs of 3 images" in first.stdout
    assert first.stderr == ""  # a bar is for a terminal
    second = run("landmarks", *arguments)
    assert "3 of 3 images have landmarks of this detector already." in second.stdout
    assert not dots[-1].seen


def test_an_interrupted_run_goes_on(run, dots, images, monkeypatch):
    from reid_tf.pipeline import detect

    one_by_one = detect.detect_landmarks
    monkeypatch.setattr(detect, "detect_landmarks", lambda detector, records: one_by_one(detector, records, 1))
    arguments = ("--images", images, "--detector", "dots")
    stopped = run("landmarks", *arguments, "--detector-option", "breaks_after=2")
    assert stopped.returncode == 130
    assert re.fullmatch(r"stopped: go on with: python .* --detector-option breaks_after=2\n", stopped.stderr)
    assert not (images / LANDMARKS_FILE).exists()
    assert "2 of 3 images have landmarks of this detector already." in run("landmarks", *arguments).stdout
    assert dots[-1].seen == [str(images / "c" / "d.png")]
    assert sorted(read_landmarks(images / LANDMARKS_FILE)) == sorted(NAMES)
    assert not list(images.glob("*unfinished*"))


def test_a_run_interrupted_behind_its_last_image_is_finished(run, dots, images):
    """Nothing is missing then, and yet the file has to get its name."""
    found = dict.fromkeys(NAMES, np.full((18, 3), 0.5, np.float32))
    unfinished = images / "landmarks.unfinished.npz"
    write_landmarks(unfinished, found, {"name": "dots", "place": 0.5})
    assert run("landmarks", "--detector", "dots", "--images", images).returncode == 0
    assert sorted(read_landmarks(images / LANDMARKS_FILE)) == sorted(NAMES)
    assert not unfinished.exists()
    assert not dots[-1].seen


def test_another_detectors_landmarks_are_not_mixed_in(run, dots, images):
    run("landmarks", "--images", images, "--detector", "dots")
    arguments = ("--images", images, "--detector", "dots", "--detector-option", "place=0.75")
    refused = run("landmarks", *arguments)
    assert refused.returncode == 2
    assert "--overwrite replaces it" in refused.stderr
    assert run("landmarks", *arguments, "--out", images / "others.npz").returncode == 0
    assert (read_landmarks(images / LANDMARKS_FILE)["a.png"] == 0.5).all()
    assert run("landmarks", *arguments, "--overwrite").returncode == 0
    assert (read_landmarks(images / LANDMARKS_FILE)["a.png"] == 0.75).all()


def test_a_folder_that_is_not_writable_is_named_before_any_work(run, dots, images):
    images.chmod(0o555)
    refused = run("landmarks", "--images", images, "--detector", "dots")
    images.chmod(0o755)
    assert refused.returncode == 2
    assert "is read-only" in refused.stderr
    assert not dots, "no detector was made"
    assert not list(images.glob("*.npz"))


def test_kept_landmarks_are_drawn(run, images, tmp_path):
    points = np.random.default_rng(0).random((18, 3))
    write_landmarks(images / LANDMARKS_FILE, dict.fromkeys(NAMES[:2], points))
    result = run("landmarks", "--images", images, "--preview", tmp_path / "parts.png")
    assert "Landmarks of 2 images" in result.stdout
    assert "Drew 2 images" in result.stdout
    assert cv2.imread(str(tmp_path / "parts.png")).shape[1] == 6 * (128 + 6) + 6


def test_landmarks_are_compared_with_true_ones(run, images, tmp_path):
    true = np.random.default_rng(0).random((18, 3))
    true[:, 2] = 1
    true[17, 2] = 0
    found = true.copy()
    found[3, 0] += 0.9 - found[3, 0] * 2  # an elbow elsewhere
    found[:, :2] = found[:, :2].clip(0, 1)
    write_landmarks(images / LANDMARKS_FILE, dict.fromkeys(NAMES, found))
    write_landmarks(tmp_path / "true.npz", {"a.png": true, "b.png": true, "z.png": true})
    lines = run("landmarks", "--images", images, "--compare", tmp_path / "true.npz").stdout.splitlines()
    table = {
        line[:16].strip(): line[16:].strip() for line in lines[lines.index("joint                    PCK@0.2") + 1 :]
    }
    assert table["nose"] == "1.000"
    assert table["right elbow"] == "0.000"
    assert table["left ear"] == "-"
    assert table["mean"] == f"{16 / 17:.3f}"
    assert "2 images compared with" in lines[-1]
    assert "0 without a visible torso left out" in lines[-1]
    write_landmarks(tmp_path / "true.npz", {"z.png": true})
    refused = run("landmarks", "--images", images, "--compare", tmp_path / "true.npz")
    assert "has landmarks of none of these images: its first path is 'z.png'" in refused.stderr


def test_landmarks_of_a_data_set_are_used_by_it(run, dots, images):
    from reid_tf.datasets.load import load_dataset

    run("landmarks", "--dataset", "csv_table", "--data", images, "--detector", "dots")
    dataset = load_dataset("csv_table", str(images))
    assert all((record.landmarks == 0.5).all() for record in (*dataset.train, *dataset.query, *dataset.gallery))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "IMAGES"], "Give --detector, --preview or --compare"),
        (["--detector", "dots"], "Give --dataset or --images"),
        (["--detector", "dots", "--images", "IMAGES", "--dataset", "csv_table"], "Give --dataset or --images"),
        (["--detector", "dott", "--images", "IMAGES"], "Unknown landmark detector: 'dott'. Did you mean 'dots'"),
        (["--detector", "dots", "--detector-option", "plaice=1", "--images", "IMAGES"], "Did you mean 'place'"),
        (["--detector", "dots", "--detector-option", "1", "--images", "IMAGES"], "--detector-option must be KEY=VALUE"),
        (["--preview", "a.png", "--images", "IMAGES"], "landmarks.npz' does not exist"),
    ],
)
def test_what_is_wrong_is_named(run, dots, images, arguments, message):
    result = run("landmarks", *[str(images) if argument == "IMAGES" else argument for argument in arguments])
    assert result.returncode == 2
    assert message in result.stderr


def test_a_prepared_data_set_keeps_its_landmarks_itself(run, dots, images, tmp_path):
    run("prepare", "--dataset", "csv_table", "--data", images, "--out", tmp_path / "prepared")
    result = run("landmarks", "--dataset", "prepared", "--data", tmp_path / "prepared", "--detector", "dots")
    assert result.returncode == 2
    assert "'prepared' keeps its landmarks itself" in result.stderr
